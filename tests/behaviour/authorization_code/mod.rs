//! A person logs in by their browser: what is asked, what counts as the answer, and what they see.

mod answers;
mod listener;
mod pieces;
mod request;
mod rules;

use std::net::{Ipv4Addr, TcpStream};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower_oauth2::client::Client;
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::{Error, OAuth2Layer, Token, Tokens};
use url::Url;

use crate::support::{Body, Forms, TOKEN_URL, token_endpoint};

const AUTHORIZATION_URL: &str = "https://auth.example.com/authorize?tenant=7&state=theirs";

fn grant() -> AuthorizationCode {
    AuthorizationCode::new(AUTHORIZATION_URL, TOKEN_URL, Client::public("id")).unwrap()
}

/// A program that waits for a login.
struct Program {
    tokens: Tokens,
    /// The addresses that were shown to the person.
    shown: mpsc::UnboundedReceiver<Url>,
    /// The forms that the token endpoint got.
    forms: Forms,
}

/// A login that has begun.
struct Login {
    url: Url,
    waiting: JoinHandle<Result<Token, Error>>,
}

impl Program {
    /// The token endpoint gives these answers, one after the other, and then tokens.
    fn new(grant: AuthorizationCode, answers: Vec<http::Response<Body>>) -> Self {
        let (show, shown) = mpsc::unbounded_channel();
        let (token_service, forms) = token_endpoint(answers);
        let grant = grant.browser(move |url| show.send(url.clone()).unwrap());
        Self { tokens: OAuth2Layer::new(grant).token_service(token_service).tokens(), shown, forms }
    }

    async fn begin(&mut self) -> Login {
        let tokens = self.tokens.clone();
        self.begun(tokio::spawn(async move { tokens.get().await })).await
    }

    /// The user asks for it.
    async fn begin_asked_for(&mut self) -> Login {
        let tokens = self.tokens.clone();
        self.begun(tokio::spawn(async move { tokens.refresh().await })).await
    }

    async fn begun(&mut self, waiting: JoinHandle<Result<Token, Error>>) -> Login {
        Login { url: self.shown.recv().await.unwrap(), waiting }
    }

    fn asks_nobody(&mut self) {
        assert!(self.shown.try_recv().is_err(), "a browser was opened");
    }
}

impl Login {
    fn asked(&self, name: &str) -> String {
        let found: Vec<_> = self.url.query_pairs().filter(|(asked, _)| asked == name).collect();
        assert!(found.len() <= 1, "{name} stands twice");
        found.first().map(|(_, value)| value.clone().into_owned()).unwrap_or_default()
    }

    fn port(&self) -> u16 {
        Url::parse(&self.asked("redirect_uri")).unwrap().port().unwrap()
    }

    /// The browser comes back with this query.
    async fn back(&self, query: &str) -> (u16, String) {
        fetch(&format!("{}?{query}", self.asked("redirect_uri"))).await
    }

    async fn back_with_code(&self) -> (u16, String) {
        self.back(&format!("code=c&state={}", self.asked("state"))).await
    }

    fn is_open(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).is_ok()
    }

    async fn outcome(self) -> Result<Token, Error> {
        self.waiting.await.unwrap()
    }
}

/// Status and page, of which the browser tells nobody and keeps nothing.
async fn fetch(url: &str) -> (u16, String) {
    let http: Http<_, Empty<Bytes>> = Http::builder(TokioExecutor::new()).build_http();
    let page = http.get(url.parse().unwrap()).await.unwrap();
    let (status, headers) = (page.status().as_u16(), page.headers());
    assert_eq!(headers["referrer-policy"], "no-referrer");
    assert_eq!(headers["cache-control"], "no-store");
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let page = page.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(page.to_vec()).unwrap())
}
