//! Exports the metrics of a layer: refreshes by outcome, callers that wait, rejections, and the expiry of the token.
//!
//! ```text
//! cargo run --example metrics --features metrics
//! ```
//!
//! The metrics go to the recorder that the program installs for the `metrics` facade, here the one of Prometheus. A real
//! program serves the text at `/metrics`. This one prints it at the end, after a wrong secret, twenty concurrent requests
//! without a token, a refresh before the expiry, and a revoked token.
//!
//! The example needs no other program. The authorization server and the API run inside it, on 127.0.0.1.

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

    // The name distinguishes this layer from others in the program.
    let grant = ClientCredentials::new(server.token_url(), Client::basic("example", "secret"))?;
    let oauth = OAuth2Layer::new(grant).origin(api.origin())?.name("orders");
    let client = ServiceBuilder::new().layer(oauth).service(http.clone());
    let request = || Request::get(api.url("/orders")).body(Full::default());

    // A second layer has a wrong secret. Its second request fails with the cached error, without a token request.
    let grant = ClientCredentials::new(server.token_url(), Client::basic("example", "a wrong one"))?;
    let oauth = OAuth2Layer::new(grant).origin(api.origin())?.name("billing");
    let billing = ServiceBuilder::new().layer(oauth).service(http);
    for _ in 0..2 {
        check(billing.clone().oneshot(request()?).await.is_err(), "a wrong secret returns an error")?;
    }

    // Twenty requests wait for the first token.
    let mut requests = JoinSet::new();
    for _ in 0..20 {
        requests.spawn(client.clone().oneshot(request()?));
    }
    sleep(LATENCY / 2).await;
    let waiting = "tower_oauth2_waiting_requests{name=\"orders\",grant=\"client_credentials\"} 20";
    println!("{waiting}\n");
    check(prometheus.render().contains(waiting), "twenty requests wait")?;
    while let Some(sent) = requests.join_next().await {
        check(sent??.status() == 200, "all twenty requests succeed")?;
    }

    // In the second half of its lifetime the token is refreshed in the background.
    sleep(LIFETIME * 5 / 8).await;
    check(client.clone().oneshot(request()?).await?.status() == 200, "a request is sent with the old token meanwhile")?;
    sleep(LATENCY * 2).await;

    // The API revokes all tokens: one rejection, one refresh.
    server.registry().revoke_access_tokens();
    check(client.clone().oneshot(request()?).await?.status() == 401, "a revoked token is rejected")?;
    check(client.clone().oneshot(request()?).await?.status() == 200, "the next request has a new one")?;

    // A refresh is counted when its task ends, shortly after the request has its token.
    client.tokens().flush().await;
    let page = page(&prometheus);
    println!("{page}");
    for line in [
        "refreshes_total{name=\"orders\",grant=\"client_credentials\",reason=\"missing\",outcome=\"ok\"} 1",
        "refreshes_total{name=\"orders\",grant=\"client_credentials\",reason=\"proactive\",outcome=\"ok\"} 1",
        "refreshes_total{name=\"orders\",grant=\"client_credentials\",reason=\"rejected\",outcome=\"ok\"} 1",
        "refreshes_total{name=\"billing\",grant=\"client_credentials\",reason=\"missing\",outcome=\"client_rejected\"} 1",
        "waiting_requests{name=\"orders\",grant=\"client_credentials\"} 0",
        "fast_failures_total{name=\"billing\",grant=\"client_credentials\",error=\"client_rejected\"} 1",
        "rejections_total{name=\"orders\",grant=\"client_credentials\",effect=\"refresh\"} 1",
    ] {
        check(page.contains(&format!("tower_oauth2_{line}\n")), line)?;
    }
    Ok(())
}

/// Installs the recorder of the program, with buckets that suit token requests.
fn install() -> Result<PrometheusHandle, BoxError> {
    let duration = Matcher::Full("tower_oauth2_refresh_duration_seconds".to_owned());
    let prometheus = PrometheusBuilder::new().set_buckets_for_metric(duration, &[0.1, 0.5, 1.0, 5.0, 30.0])?;
    Ok(prometheus.install_recorder()?)
}

/// Returns the text that Prometheus would scrape, sorted by name.
fn page(prometheus: &PrometheusHandle) -> String {
    let text = prometheus.render();
    let mut metrics: Vec<&str> = text.split_terminator("\n\n").collect();
    metrics.sort_unstable();
    metrics.join("\n\n") + "\n"
}
