//! A gateway that exchanges the token of each caller for one of the API behind it (RFC 8693).
//!
//! ```text
//! cargo run --example gateway --features tenants
//! ```
//!
//! Callers send a token that was issued for the gateway. The API accepts only tokens that were issued for it. So the gateway exchanges
//! tokens, on behalf of each caller:
//!
//! ```text
//!  caller ── token for the gateway ──▶ gateway ── token for the API ──▶ API
//!                                         │
//!                                         └── once for each token of a caller ──▶ authorization server
//! ```
//!
//! The gateway verifies each token first, and forwards bodies while they arrive. The key of the `TenantsLayer` is the token of the caller,
//! so that the token for the API is never sent for another one.
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

#[path = "gateway/failure.rs"]
mod failure;
#[path = "gateway/headers.rs"]
mod headers;
#[path = "gateway/orders.rs"]
mod orders;
#[path = "gateway/proxy.rs"]
mod proxy;
mod support;
#[path = "gateway/verifier.rs"]
mod verifier;

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode},
};
use futures_util::stream;
use http_body_util::BodyExt;
use hyper_util::{client::legacy, rt::TokioExecutor};
use proxy::{Gateway, Http};
use support::{AuthServer, Registry, Settings, check};
use tokio::{net::TcpListener, sync::mpsc};
use tower::BoxError;
use tower_oauth2::{
    OAuth2Layer,
    client::Client,
    grant::{TokenExchange, token_type},
    tenants::{Subject, TenantsLayer},
};
use verifier::Verifier;

/// The names of the gateway and of the API at the authorization server.
const GATEWAY: &str = "gateway";
const ORDERS: &str = "orders";

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().client(GATEWAY, "secret")).await?;
    let api = orders::start(&server).await?;

    let (token_url, origin) = (server.token_url(), api.origin());
    let tenants = TenantsLayer::new(move |caller: &Subject| {
        let client = Client::basic(GATEWAY, "secret");
        let grant = TokenExchange::new(&*token_url, client, token_type::ACCESS_TOKEN, caller.clone())?;
        OAuth2Layer::new(grant.param("audience", ORDERS)).origin(&origin)
    });
    let http: Http = legacy::Client::builder(TokioExecutor::new()).build_http();
    let verifier = Verifier::new(server.registry().clone());
    let gateway = Arc::new(Gateway::new(api.origin().parse()?, &tenants, http.clone(), verifier));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let callers =
        Callers { http, url: format!("http://{}", listener.local_addr()?), registry: server.registry().clone() };
    let routes = gateway.clone().routes();
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });

    let (alice, bob) = (callers.log_in("alice"), callers.log_in("bob"));
    exchanges_once_for_each_token(&callers, &server, &alice, &bob).await?;
    let foreign = callers.registry.issue(callers.registry.start_login_as("mallory"), Duration::from_secs(60));
    forwards_no_request_without_a_valid_token(&callers, &server, &foreign).await?;
    removes_headers(&callers, &alice).await?;
    streams_both_ways(&callers, &alice).await?;

    println!("the API rejects an exchanged token:");
    let exchanged = tenants.tokens(&Subject::new(&*alice))?.get().await?;
    callers.registry.revoke_token(exchanged.access_token(), GATEWAY);
    check(callers.get(Some(&alice)).await?.0 == StatusCode::OK, "the request is repeated with another token")?;

    println!("the token of a caller is revoked:");
    let login = callers.registry.login_of(&bob).ok_or("the token is valid")?;
    callers.registry.revoke(login);
    let (status, headers) = callers.get(Some(&bob)).await?;
    check(status == StatusCode::UNAUTHORIZED && is_invalid_token(&headers), "the caller needs another token")?;

    println!("the authorization server is not available:");
    let carol = callers.log_in("carol");
    drop(server);
    let (status, headers) = callers.get(Some(&carol)).await?;
    check(status == StatusCode::SERVICE_UNAVAILABLE && headers.contains_key("retry-after"), "carol tries again later")?;
    check(callers.get(Some(&alice)).await?.0 == StatusCode::OK, "alice's token was exchanged before")?;

    println!("the API is not available:");
    drop(api);
    check(callers.get(Some(&alice)).await?.0 == StatusCode::BAD_GATEWAY, "the API does not respond")?;

    serving.abort();
    let log = gateway.log().join("\n");
    let secrets = [&*alice, &bob, &carol, &foreign, exchanged.access_token()];
    check(secrets.iter().all(|secret| !log.contains(secret)), "the log contains no token")
}

async fn exchanges_once_for_each_token(
    callers: &Callers,
    server: &AuthServer,
    alice: &str,
    bob: &str,
) -> Result<(), BoxError> {
    println!("two callers, two requests each:");
    for (user, token) in [("alice", alice), ("bob", bob), ("alice", alice), ("bob", bob)] {
        let (status, headers) = callers.get(Some(token)).await?;
        check(status == StatusCode::OK && headers["x-user"] == user, "each caller has a token of the API")?;
    }
    check(server.token_requests() == 2, "each token is exchanged once")?;

    println!("a new token of the same caller:");
    let (_, headers) = callers.get(Some(&callers.log_in("alice"))).await?;
    check(headers["x-user"] == "alice" && server.token_requests() == 3, "it is exchanged again")
}

async fn forwards_no_request_without_a_valid_token(
    callers: &Callers,
    server: &AuthServer,
    foreign: &str,
) -> Result<(), BoxError> {
    println!("without a token, and with one that was not issued for the gateway:");
    let before = server.token_requests();
    let (status, headers) = callers.get(None).await?;
    check(status == StatusCode::UNAUTHORIZED && headers["www-authenticate"] == "Bearer", "a token is needed")?;
    let (status, headers) = callers.get(Some(foreign)).await?;
    check(status == StatusCode::UNAUTHORIZED && is_invalid_token(&headers), "another token is needed")?;
    check(server.token_requests() == before, "nothing is exchanged")
}

async fn removes_headers(callers: &Callers, token: &str) -> Result<(), BoxError> {
    println!("headers of one connection:");
    let request = Request::get(format!("{}/orders", callers.url))
        .header("authorization", format!("Bearer {token}"))
        .header("connection", "x-hop, te")
        .header("te", "trailers")
        .header("x-hop", "between the caller and the gateway")
        .header("x-end", "for the API")
        .body(Body::empty())?;
    let response = callers.http.request(request).await?;
    let received: Vec<_> = response.headers()["x-received"].to_str()?.split(',').collect();
    check(received.contains(&"x-end"), "other headers are forwarded")?;
    check(!received.contains(&"x-hop") && !received.contains(&"te"), "those of the caller's connection are not")?;
    check(!response.headers().contains_key("x-internal"), "those of the API's connection are not")
}

/// The API sends back what it receives. So the second part is sent only after the first one has made the whole way.
async fn streams_both_ways(callers: &Callers, token: &str) -> Result<(), BoxError> {
    println!("a body that arrives in parts:");
    let (parts, receiver) = mpsc::channel::<Result<Bytes, BoxError>>(1);
    let body = stream::unfold(receiver, async |mut parts| Some((parts.recv().await?, parts)));
    let request = Request::post(format!("{}/orders", callers.url))
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from_stream(body))?;
    parts.send(Ok("first".into())).await?;
    let mut body = callers.http.request(request).await?.into_body();
    for (part, next) in [("first", Some("second")), ("second", None)] {
        let frame = body.frame().await.ok_or("the body has ended")??;
        check(frame.data_ref().is_some_and(|data| data == part), "each part is forwarded when it arrives")?;
        if let Some(next) = next {
            parts.send(Ok(next.into())).await?;
        }
    }
    drop(parts);
    check(body.frame().await.is_none(), "the body ends")
}

fn is_invalid_token(headers: &HeaderMap) -> bool {
    headers.get("www-authenticate").is_some_and(|value| value == "Bearer error=\"invalid_token\"")
}

/// The callers of the gateway.
struct Callers {
    http: Http,
    url: String,
    registry: Registry,
}

impl Callers {
    /// Returns a token of this user for the gateway.
    fn log_in(&self, user: &str) -> String {
        let token = self.registry.issue(self.registry.start_login_as(user), Duration::from_secs(3600));
        self.registry.set_audience(&token, GATEWAY);
        token
    }

    async fn get(&self, token: Option<&str>) -> Result<(StatusCode, HeaderMap), BoxError> {
        let mut request = Request::get(format!("{}/orders", self.url));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = self.http.request(request.body(Body::empty())?).await?;
        Ok((response.status(), response.headers().clone()))
    }
}
