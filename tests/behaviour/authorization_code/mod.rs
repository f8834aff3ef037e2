//! The authorization code grant: requests, redirects, pages and errors.

mod bounds;
mod browser;
mod discovered;
mod discovered_issuer;
mod issuer;
mod listener;
mod login_policy;
mod par_server;
mod pkce;
mod prefetch;
mod pushed;
mod pushed_login;
mod request;
mod responses;
mod serialized;
mod signed;
mod steps;
#[cfg(unix)]
mod system_browser;

use std::net::{Ipv4Addr, TcpStream};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower_oauth2::client::Client;
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};
use url::Url;

use crate::support::{Body, Forms, TOKEN_URL, token_endpoint};

const AUTHORIZATION_URL: &str = "https://auth.example.com/authorize?tenant=7&state=theirs";

fn grant() -> AuthorizationCode {
    AuthorizationCode::new(AUTHORIZATION_URL, TOKEN_URL, Client::public("id")).unwrap()
}

/// A program that uses the grant.
struct Program {
    tokens: Tokens,
    /// The login URLs that were shown to the user.
    shown: mpsc::UnboundedReceiver<Url>,
    /// The forms that the token endpoint received.
    forms: Forms,
}

/// A login that has started.
struct Login {
    url: Url,
    waiting: JoinHandle<Result<Token, Error>>,
}

impl Program {
    /// The token endpoint sends these responses in order, and then tokens.
    fn new(grant: AuthorizationCode, responses: Vec<http::Response<Body>>) -> Self {
        let (show, shown) = mpsc::unbounded_channel();
        let (token_service, forms) = token_endpoint(responses);
        let grant = grant.browser(move |url| show.send(url.clone()).unwrap());
        Self { tokens: OAuth2Layer::new(grant).token_service(token_service).tokens(), shown, forms }
    }

    async fn start_login(&mut self) -> Login {
        let tokens = self.tokens.clone();
        self.shown_login(tokio::spawn(async move { tokens.get().await })).await
    }

    /// Starts a login with `Tokens::refresh`.
    async fn force_login(&mut self) -> Login {
        let tokens = self.tokens.clone();
        self.shown_login(tokio::spawn(async move { tokens.refresh().await })).await
    }

    async fn shown_login(&mut self, mut waiting: JoinHandle<Result<Token, Error>>) -> Login {
        let url = tokio::select! {
            url = self.shown.recv() => url,
            outcome = &mut waiting => {
                // A login with a timeout of zero may end before the browser starts. A login without a port opens no browser.
                let outcome = outcome.unwrap();
                assert!(!outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Loopback), "{outcome:?}");
                waiting = tokio::spawn(async move { outcome });
                self.shown.recv().await
            }
        };
        Login { url: url.unwrap(), waiting }
    }

    fn assert_no_browser(&mut self) {
        assert!(self.shown.try_recv().is_err(), "a browser was opened");
    }
}

impl Login {
    fn param(&self, name: &str) -> String {
        let found: Vec<_> = self.url.query_pairs().filter(|(param, _)| param == name).collect();
        assert!(found.len() <= 1, "{name} appears twice");
        found.first().map(|(_, value)| value.clone().into_owned()).unwrap_or_default()
    }

    fn port(&self) -> u16 {
        Url::parse(&self.param("redirect_uri")).unwrap().port().unwrap()
    }

    /// Requests the redirect URI with this query.
    async fn redirect(&self, query: &str) -> (u16, String) {
        fetch(&format!("{}?{query}", self.param("redirect_uri"))).await
    }

    async fn redirect_with_code(&self) -> (u16, String) {
        self.redirect(&format!("code=c&state={}", self.param("state"))).await
    }

    fn is_open(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).is_ok()
    }

    async fn outcome(self) -> Result<Token, Error> {
        self.waiting.await.unwrap()
    }
}

/// Stops the automatic advance of a paused clock while it exists, because data on a socket takes real time.
struct FrozenClock(#[allow(dead_code, reason = "dropping it ends the blocking task")] std::sync::mpsc::Sender<()>);

fn freeze_clock() -> FrozenClock {
    let (dropped, wait) = std::sync::mpsc::channel::<()>();
    // tokio does not advance a paused clock while a blocking task runs.
    drop(tokio::task::spawn_blocking(move || wait.recv()));
    FrozenClock(dropped)
}

/// Fetches a URL, and returns the status and the page. Asserts the headers that keep the URL private.
async fn fetch(url: &str) -> (u16, String) {
    let (page, text) = send(http::Request::get(url)).await;
    (page.status.as_u16(), text)
}

async fn send(request: http::request::Builder) -> (http::response::Parts, String) {
    let http: Http<_, Empty<Bytes>> = Http::builder(TokioExecutor::new()).build_http();
    let page = http.request(request.body(Empty::new()).unwrap()).await.unwrap();
    let (page, body) = page.into_parts();
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert_eq!(page.headers["cache-control"], "no-store");
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let body = body.collect().await.unwrap().to_bytes();
    (page, String::from_utf8(body.to_vec()).unwrap())
}
