//! A web application whose authorization requests are pushed to the server (PAR, RFC 9126).
//!
//! ```text
//! cargo run --example pushed_login
//! ```
//!
//! The server's metadata requires it. So the application needs no option: `begin` pushes the request with the authentication of the client,
//! and the visitor's browser gets a reference to it, which is used once.
//!
//! ```text
//!  visitor ── /login ────▶ application ── begin: the parameters ──▶ authorization server
//!     │ ◀── redirect ───────────┘    ◀──── a request_uri ───────────────┘   │
//!     └─── client_id and request_uri ──────────────────────────────────────▶ │
//! ```
//!
//! `web_application.rs` shows the rest of such a program: several replicas, and requests to an API for each visitor.
//!
//! On a terminal, you are the visitor: log in as `alice` with any password. Without a terminal, or with
//! `TOWER_OAUTH2_UNATTENDED=1`, the program simulates the visitor.
//!
//! Nothing else is needed. The authorization server runs inside the program, on 127.0.0.1.

#[path = "web_application/failure.rs"]
mod failure;
#[allow(dead_code, reason = "the sessions of `web_application.rs` can do more")]
#[path = "web_application/session.rs"]
mod session;
mod support;

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use failure::Failure;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use session::Sessions;
use support::{AuthServer, Choice, Person, Settings, check, is_attended};
use tokio::net::TcpListener;
use tower::BoxError;
use tower_oauth2::{
    client::Client,
    grant::{Authorization, AuthorizationCode},
    transport::Transport,
};

struct Application {
    grant: AuthorizationCode,
    http: Transport,
    redirect_uri: String,
    /// The pending logins, by the cookie of the browser that started them.
    sessions: Sessions,
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().require_pushed_requests()).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);

    let application = Application {
        grant: AuthorizationCode::from_issuer(server.issuer(), Client::basic("example", "secret"))?.scope("orders")?,
        http: Transport::new(legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>()),
        redirect_uri: format!("{url}/callback"),
        sessions: Sessions::default(),
    };
    let routes = Router::new().route("/login", get(login)).route("/callback", get(callback));
    let routes = routes.with_state(Arc::new(application));
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });

    if is_attended() {
        println!("Open {url}/login in your browser. Ctrl-C ends the program.");
        return Ok(tokio::signal::ctrl_c().await?);
    }
    let outcome = visit(&server, &url).await;
    serving.abort();
    outcome
}

/// Redirects the visitor to the authorization server. Each call pushes a request of its own.
async fn login(State(application): State<Arc<Application>>) -> Result<Response, Failure> {
    let login = application.grant.begin(&application.http, &*application.redirect_uri).await?;
    let redirect = Redirect::to(login.url().as_str());
    let cookie = application.sessions.start(&login, application.redirect_uri.starts_with("https:"))?;
    Ok(([(SET_COOKIE, cookie)], redirect).into_response())
}

/// Handles the redirect from the authorization server.
async fn callback(
    State(application): State<Arc<Application>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    // A browser that prefetches the page may discard it, but the code can be used only once. The browser sends the request again.
    if headers.contains_key("sec-purpose") {
        return Ok(StatusCode::SERVICE_UNAVAILABLE.into_response());
    }
    // Only the browser that started a login can complete it.
    let Some(login) = application.sessions.take::<Authorization>(&headers, |_| true)? else {
        return Ok((StatusCode::BAD_REQUEST, "No login is in progress in this browser.").into_response());
    };
    let code = match application.grant.callback(login, &query.unwrap_or_default()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("a login has failed: {error}");
            return Ok((StatusCode::BAD_REQUEST, "You are not logged in.").into_response());
        }
    };
    let token = application.grant.exchange(&application.http, code).await?;
    Ok(format!("You are logged in. Granted: {}.", token.scope().unwrap_or("nothing")).into_response())
}

/// Simulates the visitor.
async fn visit(server: &AuthServer, url: &str) -> Result<(), BoxError> {
    let mut alice = Person::new();
    let page = alice.open(&format!("{url}/login")).await?;
    let names: Vec<_> = page.url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    println!("the URL in the browser has:  {}", names.join(", "));
    check(page.url.as_str().starts_with(&server.authorization_url()), "the browser is at the authorization server")?;
    check(names == ["client_id", "request_uri"], "the browser's URL has no other parameter")?;

    let login = page.url.as_str();
    let page = alice.log_in(login, Choice::Allow).await?;
    println!("alice logs in:               {} {}", page.status, page.text);
    check(page.status == 200 && page.text.contains("orders"), "the code was exchanged")?;

    let page = alice.open(login).await?;
    println!("alice opens the URL again:   {} {}", page.status, page.message());
    check(page.status == 400, "a pushed request is used once")?;

    // A URL with all parameters, as an attacker could write it.
    let plain = AuthorizationCode::new(server.authorization_url(), server.token_url(), Client::public("example"))?;
    let page = alice.open(plain.authorization_url(format!("{url}/callback"))?.url().as_str()).await?;
    let error = page.url.query_pairs().find(|(name, _)| name == "error").map(|(_, error)| error.into_owned());
    println!("with all parameters in it:   {}", error.as_deref().unwrap_or("accepted"));
    check(error.as_deref() == Some("invalid_request"), "the server rejects a request that was not pushed")?;
    check(page.status == 400, "a login that the application has not started does not end in it")
}
