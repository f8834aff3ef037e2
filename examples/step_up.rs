//! A token is not enough: the API demands another scope, and then a fresher login (RFC 6750 §3.1, RFC 9470).
//!
//! ```text
//! cargo run --example step_up --features loopback
//! ```
//!
//! The program starts with a login for reading. With `step_up`, each demand of the API starts another login, and the request is repeated:
//!
//! ```text
//!  program ── DELETE /orders ─────────────────────────▶ API
//!     │ ◀──── 403, scope="orders:write" ────────────────┘
//!     ├────── the browser: orders:read orders:write ──▶ authorization server
//!     └────── DELETE /orders ─────────────────────────▶ API
//! ```
//!
//! On a terminal, you are the user: log in as `alice` with any password, three times. Without a terminal, or with
//! `TOWER_OAUTH2_UNATTENDED=1`, the program simulates the user.
//!
//! The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Choice, Requirements, Settings, browser, check, is_attended};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, retry::RetryLayer, util::BoxCloneService};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, client::Client, grant::AuthorizationCode, retry::RetryUnauthorized};

type HttpClient = BoxCloneService<Request<Full<Bytes>>, http::Response<hyper::body::Incoming>, BoxError>;

const FIVE_MINUTES: Duration = Duration::from_secs(300);

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().refresh_tokens()).await?;
    let requirements = Requirements::default()
        .scope("/orders/7", "orders:write")
        .login("/payments", "mfa", FIVE_MINUTES)
        .login("/vault", "security-key", FIVE_MINUTES);
    let api = Api::start_with(&server, requirements).await?;

    let grant = AuthorizationCode::new(server.authorization_url(), server.token_url(), Client::public("app"))?
        .scope("orders:read")?;
    let logins = Arc::new(AtomicUsize::new(0));
    let counter = logins.clone();
    let grant = grant.announce(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    // The pages that the browser shows at the end of each login are not needed here.
    let (grant, _shown) = match is_attended() {
        true => (grant, None),
        false => {
            let (alice, shown) = browser(Choice::Allow);
            (grant.browser(alice), Some(shown))
        }
    };

    let oauth = OAuth2Layer::new(grant).origin(api.origin())?.step_up();
    let tokens = oauth.tokens();
    let mut client: HttpClient = ServiceBuilder::new()
        .boxed_clone()
        .layer(RetryLayer::new(RetryUnauthorized::new())) // outside: repeats a request for which the token was not enough
        .layer(oauth)
        .service(legacy::Client::builder(TokioExecutor::new()).build_http());

    // (method, path, and the number of logins after it)
    for (method, path, expected) in [
        (Method::GET, "/orders", 1),      // the first login
        (Method::DELETE, "/orders/7", 2), // 403, another login for more scope
        (Method::GET, "/orders", 2),      // the new token can still read
        (Method::POST, "/payments", 3),   // 401, another login with a second factor
        (Method::POST, "/payments", 3),   // which is young enough
        (Method::DELETE, "/orders/7", 3), // and has the scope too
    ] {
        let status = send(&mut client, &api, &method, path).await?;
        println!("{method:<6} {path:<9}: {status}, after {} logins", logins.load(Ordering::SeqCst));
        check(status == 200, "the API accepts the repeated request")?;
        check(logins.load(Ordering::SeqCst) == expected, "a login starts only if the API demands one")?;
    }
    check(api.challenged() == 2, "the API has challenged two requests")?;
    let scope = tokens.get().await?.scope().map(str::to_owned);
    println!("the scope of the token: {}", scope.as_deref().unwrap_or_default());
    check(scope.as_deref() == Some("orders:read orders:write"), "the token has all scopes")?;

    // A refresh asks no person, and keeps what the login has.
    tokens.refresh().await?;
    let status = send(&mut client, &api, &Method::DELETE, "/orders/7").await?;
    println!("after a refresh: {status}, after {} logins", logins.load(Ordering::SeqCst));
    check(status == 200 && logins.load(Ordering::SeqCst) == 3, "the refreshed token belongs to the same login")?;

    // Alice has no security key, and the server says so. The token stays in use for everything else.
    let error = send(&mut client, &api, &Method::POST, "/vault").await.err().ok_or("the vault is open")?;
    let error = error.downcast::<Error>()?;
    println!("POST /vault: {error}");
    check(error.kind() == ErrorKind::Denied, "the error is `Denied`")?;
    let status = send(&mut client, &api, &Method::GET, "/orders").await?;
    check(status == 200, "other requests notice nothing")?;
    let status = send(&mut client, &api, &Method::POST, "/vault").await?;
    println!("and again: {status}, after {} logins", logins.load(Ordering::SeqCst));
    check(status == 401 && logins.load(Ordering::SeqCst) == 4, "she is not asked twice")
}

async fn send(client: &mut HttpClient, api: &Api, method: &Method, path: &str) -> Result<StatusCode, BoxError> {
    let request = Request::builder().method(method).uri(api.url(path)).body(Full::default())?;
    Ok(client.ready().await?.call(request).await?.status())
}
