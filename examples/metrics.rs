//! What a dashboard sees of a layer: how many token calls, of which outcome, who waits, and when the token ends.
//!
//! ```text
//! cargo run --example metrics --features metrics
//! ```
//!
//! The numbers go to whatever recorder the program installs for the `metrics` facade; here it is that of Prometheus. A
//! program of yours would serve the text at `/metrics`. This one prints it at the end of an eventful life: a server that
//! is away, a herd of requests without a token, a token that is renewed in good time, and one that is revoked.
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use support::{Api, AuthServer, Settings, check};
use tokio::{task::JoinSet, time::sleep};
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials};

const LIFETIME: Duration = Duration::from_secs(4);
const LATENCY: Duration = Duration::from_millis(300);

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let prometheus = install()?;
    let server = AuthServer::start(Settings::default().lifetime(LIFETIME).latency(LATENCY)).await?;
    let api = Api::start(&server).await?;
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();

    // A name tells this layer from the others of the program.
    let grant = ClientCredentials::new(server.token_url(), Client::basic("example", "secret"))?;
    let oauth = OAuth2Layer::new(grant).origin(api.origin())?.name("orders");
    let client = ServiceBuilder::new().layer(oauth).service(http.clone());
    let request = || Request::get(api.url("/orders")).body(Full::default());

    // Another one, whose secret is wrong. Its second request does not even ask.
    let grant = ClientCredentials::new(server.token_url(), Client::basic("example", "a wrong one"))?;
    let oauth = OAuth2Layer::new(grant).origin(api.origin())?.name("billing");
    let billing = ServiceBuilder::new().layer(oauth).service(http);
    for _ in 0..2 {
        check(billing.clone().oneshot(request()?).await.is_err(), "a wrong secret brings no token")?;
    }

    // A herd without a token, half way through its token call.
    let mut herd = JoinSet::new();
    for _ in 0..20 {
        herd.spawn(client.clone().oneshot(request()?));
    }
    sleep(LATENCY / 2).await;
    let waiting = "tower_oauth2_waiting_requests{name=\"orders\",grant=\"client_credentials\"} 20";
    println!("{waiting}\n");
    check(prometheus.render().contains(waiting), "twenty wait")?;
    while let Some(sent) = herd.join_next().await {
        check(sent??.status() == 200, "all twenty get what they wait for")?;
    }

    // In the second half of its life the token is renewed, while it serves.
    sleep(LIFETIME * 5 / 8).await;
    check(client.clone().oneshot(request()?).await?.status() == 200, "nobody waits for that")?;
    sleep(LATENCY * 2).await;

    // The API forgets all tokens: one refusal, one renewal.
    server.registry().revoke_access_tokens();
    check(client.clone().oneshot(request()?).await?.status() == 401, "a revoked token is refused")?;
    check(client.clone().oneshot(request()?).await?.status() == 200, "the next request has a new one")?;

    let page = page(&prometheus);
    println!("{page}");
    for line in [
        "token_calls_total{name=\"orders\",grant=\"client_credentials\",reason=\"first\",outcome=\"ok\"} 1",
        "token_calls_total{name=\"orders\",grant=\"client_credentials\",reason=\"ahead\",outcome=\"ok\"} 1",
        "token_calls_total{name=\"orders\",grant=\"client_credentials\",reason=\"refused\",outcome=\"ok\"} 1",
        "token_calls_total{name=\"billing\",grant=\"client_credentials\",reason=\"first\",outcome=\"client_rejected\"} 1",
        "waiting_requests{name=\"orders\",grant=\"client_credentials\"} 0",
        "turned_away_total{name=\"billing\",grant=\"client_credentials\",error=\"client_rejected\"} 1",
        "refusals_total{name=\"orders\",grant=\"client_credentials\",verdict=\"given_up\"} 1",
    ] {
        check(page.contains(&format!("tower_oauth2_{line}\n")), line)?;
    }
    Ok(())
}

/// The recorder of the whole program, with bounds that suit token calls.
fn install() -> Result<PrometheusHandle, BoxError> {
    let duration = Matcher::Full("tower_oauth2_token_call_duration_seconds".to_owned());
    let prometheus = PrometheusBuilder::new().set_buckets_for_metric(duration, &[0.1, 0.5, 1.0, 5.0, 30.0])?;
    Ok(prometheus.install_recorder()?)
}

/// What Prometheus would fetch, sorted by name.
fn page(prometheus: &PrometheusHandle) -> String {
    let text = prometheus.render();
    let mut metrics: Vec<&str> = text.split_terminator("\n\n").collect();
    metrics.sort_unstable();
    metrics.join("\n\n") + "\n"
}
