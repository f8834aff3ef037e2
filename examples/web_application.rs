//! A web application whose visitors log in at an authorization server, and for whom it calls an API.
//!
//! ```text
//! cargo run --example web_application
//! ```
//!
//! It has a redirect route of its own, so it uses the authorization code grant in pieces: `authorization_url` begins a
//! login, `callback` reads the answer, `exchange` gets the token. Each visitor then has a layer of their own, and so a
//! token. On a terminal the visitor is you; the name is `alice`, and any password will do. Without a terminal, or with
//! `TOWER_OAUTH2_UNATTENDED=1`, the program plays the visitor itself.
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

#[path = "web_application/session.rs"]
mod session;
mod support;

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, Request, StatusCode, header::SET_COOKIE},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use session::Sessions;
use support::{Api, AuthServer, Choice, Person, Settings, check, somebody_is_there};
use tokio::net::TcpListener;
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_oauth2::{
    Error, ErrorKind, OAuth2, OAuth2Layer,
    client::Client,
    grant::{Authorization, AuthorizationCode, RefreshToken},
    transport::Transport,
};

type Http = legacy::Client<HttpConnector, Full<Bytes>>;

struct App {
    url: String,
    api: String,
    token_url: String,
    client: Client,
    grant: AuthorizationCode,
    http: Http,
    sessions: Sessions<Visitor>,
}

#[allow(clippy::large_enum_variant, reason = "most are logged in, and those are the large ones")]
enum Visitor {
    /// Is at the authorization server's page.
    LoggingIn(Authorization),
    LoggedIn(OAuth2<Http, RefreshToken>),
}

impl Visitor {
    fn is_logging_in(&self) -> bool {
        matches!(self, Self::LoggingIn(_))
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().refresh_tokens()).await?;
    let api = Api::start(&server).await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let client = Client::basic("example", "secret");
    let app = App {
        url: url.clone(),
        api: api.origin(),
        token_url: server.token_url(),
        grant: AuthorizationCode::new(server.authorization_url(), server.token_url(), client.clone())?
            .scope("orders")?,
        client,
        http: legacy::Client::builder(TokioExecutor::new()).build_http(),
        sessions: Sessions::default(),
    };
    let routes = Router::new()
        .route("/", get(orders))
        .route("/login", get(login))
        .route("/callback", get(callback))
        .with_state(Arc::new(app));
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });

    if somebody_is_there() {
        println!("Open {url} in your browser. Ctrl-C ends the program.");
        return Ok(tokio::signal::ctrl_c().await?);
    }
    let outcome = visit(&url).await;
    serving.abort();
    outcome
}

/// The orders of the visitor, from the API.
async fn orders(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    let client = app.sessions.look(&headers, |visitor| match visitor {
        Visitor::LoggedIn(client) => Some(client.clone()),
        Visitor::LoggingIn(_) => None,
    });
    let Some(mut client) = client.flatten() else {
        return Ok(Redirect::to("/login").into_response());
    };
    let request = Request::get(format!("{}/orders", app.api)).body(Full::default())?;
    match client.ready().await?.call(request).await {
        Ok(answer) => {
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            Ok((status, body).into_response())
        }
        // The refresh token has ended.
        Err(error) if kind(&error) == Some(ErrorKind::LoginNeeded) => Ok(Redirect::to("/login").into_response()),
        Err(error) => Err(error.into()),
    }
}

/// Sends the visitor to the authorization server.
async fn login(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let authorization = app.grant.authorization_url(format!("{}/callback", app.url))?;
    let to = Redirect::to(authorization.url().as_str());
    app.with_session(Visitor::LoggingIn(authorization), to)
}

/// Where the authorization server sends the visitor back to.
async fn callback(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    // Only the browser that began a login can end it: a link with somebody else's code would log the visitor in as them.
    let Some(Visitor::LoggingIn(authorization)) = app.sessions.take(&headers, Visitor::is_logging_in) else {
        return Ok((StatusCode::BAD_REQUEST, "No login is under way here.").into_response());
    };
    let code = match app.grant.callback(authorization, &query.unwrap_or_default()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("a login has ended: {error}");
            return Ok((StatusCode::BAD_REQUEST, "You are not logged in.").into_response());
        }
    };
    let token = app.grant.exchange(&Transport::new(app.http.clone()), code).await?;

    // From here on it is renewed without the visitor, or not at all: no request can begin a login in the background.
    let refresh_token = token.refresh_token().ok_or("the server gives no refresh tokens")?.to_owned();
    let grant = RefreshToken::new(&*app.token_url, app.client.clone(), refresh_token)?.token(token);
    let client = OAuth2Layer::new(grant).origin(&*app.api)?.layer(app.http.clone());
    app.with_session(Visitor::LoggedIn(client), Redirect::to("/"))
}

impl App {
    fn with_session(&self, visitor: Visitor, to: Redirect) -> Result<Response, Failure> {
        let cookie = self.sessions.begin(visitor, self.url.starts_with("https:"))?;
        Ok(([(SET_COOKIE, cookie)], to).into_response())
    }
}

/// What went wrong is for the log; the visitor cannot help it.
struct Failure(BoxError);

impl<E: Into<BoxError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        eprintln!("a request has failed: {}", self.0);
        (StatusCode::BAD_GATEWAY, "Something is out of order. Please try again later.").into_response()
    }
}

fn kind(error: &BoxError) -> Option<ErrorKind> {
    error.downcast_ref().map(Error::kind)
}

/// Plays the visitors.
async fn visit(url: &str) -> Result<(), BoxError> {
    let mut alice = Person::new();
    let page = alice.log_in(url, Choice::Allow).await?;
    println!("alice logs in and sees:  {} {}", page.status, page.text);
    check(page.status == 200 && page.text.contains("/orders"), "the API accepts the visitor's token")?;

    let page = Person::new().log_in(url, Choice::Deny).await?;
    println!("somebody says no:        {} {}", page.status, page.text);
    check(page.status == 400 && page.text.contains("not logged in"), "they are told so")?;

    let page = Person::new().open(&format!("{url}/callback?code=stolen&state=guessed")).await?;
    println!("a link from a stranger:  {} {}", page.status, page.text);
    check(page.status == 400, "it logs nobody in")
}
