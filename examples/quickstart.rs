//! One token for many requests: which requests wait for it, which reuse it, and what happens when it expires.
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! The example needs no setup. The authorization server and the API run inside the program, on 127.0.0.1. The tokens
//! are valid for two seconds, so that one expires during the example.

mod support;

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Settings, check};
use tokio::{task::JoinSet, time::sleep};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, util::BoxCloneService};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials};

const LIFETIME: Duration = Duration::from_secs(2);
const LATENCY: Duration = Duration::from_millis(300);

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().lifetime(LIFETIME).latency(LATENCY)).await?;
    let api = Api::start(&server).await?;
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();

    // The grant obtains the token, `origin` binds it to the API, and the layer wraps the HTTP client.
    let grant = ClientCredentials::new(server.token_url(), Client::basic("example", "secret"))?;
    let oauth = OAuth2Layer::new(grant).origin(api.origin())?;
    let tokens = oauth.tokens();
    let client: ApiClient = ServiceBuilder::new().boxed_clone().layer(oauth).service(http.clone());

    println!("Four simultaneous requests without a token. All wait for the same token request:");
    let waited = send(&client, &api, 1..=4).await?;
    check(waited == 4, "all four waited for the token")?;
    check(server.token_requests() == 1, "they shared one token request")?;

    println!("\nThree more, while the token is valid. None waits:");
    let waited = send(&client, &api, 5..=7).await?;
    check(waited == 0, "all three had their token at once")?;
    check(server.token_requests() == 1, "they reused the first token")?;

    println!("\nTwo seconds later. No request was sent, so no refresh was started, and the old token has expired:");
    let first = tokens.peek().ok_or("the handle shows no token")?;
    sleep(LIFETIME).await;
    let by_hand = Request::get(api.url("/orders/7"))
        .header("authorization", format!("Bearer {}", first.access_token()))
        .body(Full::default())?;
    let status = http.request(by_hand).await?.status();
    println!("  GET /orders/7   {status}, for the old token, sent by hand");
    check(status == 401, "the API rejects the old token")?;

    println!("\nThree simultaneous requests. They wait for the second token:");
    let waited = send(&client, &api, 8..=10).await?;
    check(waited == 3, "all three waited for the new token")?;

    println!("\nTen requests, {} token requests.", server.token_requests());
    check(server.token_requests() == 2, "there were two token requests")?;
    check(api.accepted() == 10, "the API accepted all ten")?;
    check(api.rejected() == 1, "it rejected only the old token")
}

type ApiClient = BoxCloneService<Request<Full<Bytes>>, Response<Incoming>, BoxError>;

/// Requests the orders simultaneously, each from its own task. Returns how many requests waited for a token: they wait in
/// `ready`, because the client is ready when there is a token.
async fn send(client: &ApiClient, api: &Api, orders: RangeInclusive<u8>) -> Result<usize, BoxError> {
    let mut tasks = JoinSet::new();
    for order in orders {
        let request = Request::get(api.url(&format!("/orders/{order}"))).body(Full::default())?;
        let mut client = client.clone();
        tasks.spawn(async move {
            let start = Instant::now();
            let at_once = client.ready().now_or_never().is_some();
            let ready = client.ready().await?;
            let wait = (!at_once).then(|| start.elapsed());
            let status = ready.call(request).await?.status();
            Ok::<_, BoxError>((order, wait, status))
        });
    }
    let mut waited = 0;
    while let Some(finished) = tasks.join_next().await {
        let (order, wait, status) = finished??;
        print!("  GET /orders/{order:<3} {status}   ");
        match wait {
            Some(wait) => println!("waited {} ms for the token", wait.as_millis()),
            None => println!("had its token at once"),
        }
        waited += usize::from(wait.is_some());
        check(status == 200, "the API accepts the request")?;
    }
    Ok(waited)
}
