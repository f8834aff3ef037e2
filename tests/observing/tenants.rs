//! K15: the spans, events and metrics of tenants have the name of the layer, and never the key.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, TokenExchange, token_type};
use tower_oauth2::tenants::{IntoTenant, Subject, TenantsLayer};
use tower_oauth2::{Error, OAuth2Layer, Token};
use tracing_subscriber::fmt::format::FmtSpan;

use crate::endpoint;
use crate::log::Log;
use crate::recorded::Recorded;
use crate::secrets::echo;
use crate::support::{API_URL, TOKEN_URL, get, pass};

/// A part of each key and each secret.
const WORD: &str = "hunter2";

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Person(String);

fn person(name: &str) -> Person {
    Person(format!("{WORD}-{name}"))
}

fn grant() -> Result<ClientCredentials, Error> {
    ClientCredentials::new(TOKEN_URL, Client::basic("id", "hunter2-secret"))
}

/// Returns a layer of which one tenant has a name of its own.
fn named() -> TenantsLayer<Person> {
    TenantsLayer::new(|key: &Person| {
        let layer = OAuth2Layer::new(grant()?);
        Ok(if *key == person("special") { layer.name("of the tenant") } else { layer })
    })
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_tenant_is_used_before_the_one_of_the_layer() {
    let (recorded, _subscriber) = Recorded::install();
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let layer = named().token_service(endpoint(vec![]));
    layer.tokens(&person("before")).unwrap().get().await.unwrap();
    let layer = layer.name("gateway");
    for key in ["one", "two", "special"] {
        layer.tokens(&person(key)).unwrap().get().await.unwrap();
    }
    let names: Vec<_> = recorded.refresh_spans().iter().map(|span| span.fields.get("oauth2.name").cloned()).collect();
    let expected = [None, Some("gateway"), Some("gateway"), Some("of the tenant")];
    assert_eq!(names, expected.map(|name| name.map(str::to_owned)));
    let text = recorder.handle().render();
    assert!(text.contains(r#"name="gateway""#) && text.contains(r#"name="of the tenant""#), "{text}");
    assert!(!text.contains(WORD), "{text}");
    // Two tenants of one layer are one series.
    let series =
        text.lines().filter(|line| line.starts_with("tower_oauth2_refreshes_total") && line.contains("gateway"));
    assert_eq!(series.map(|line| line.rsplit_once(' ').unwrap().1).collect::<Vec<_>>(), ["2"], "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_initial_token_of_a_tenant_is_recorded() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let initial = Token::bearer("initial").unwrap().with_expires_in(Duration::from_secs(3600));
    let layer = TenantsLayer::new(move |_: &Person| Ok(grant()?.token(initial.clone()))).name("gateway");
    layer.tokens(&person("one")).unwrap();
    let text = recorder.handle().render();
    let expiry = text.lines().find(|line| line.starts_with("tower_oauth2_token_expiry_timestamp_seconds{"));
    assert!(expiry.is_some_and(|line| line.contains("gateway") && !line.ends_with(" 0")), "{text}");
}

/// Runs a layer with this key through many situations.
async fn run<K, L>(key: K, make: impl Fn(&K) -> Result<L, Error> + Send + Sync + 'static)
where
    K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
    L: IntoTenant,
{
    let layer = TenantsLayer::new(make).max_tenants(1).unwrap();
    for status in [200, 503, 418, 401, 400, 0, 200] {
        let service = layer.layer(service_fn(move |request| echo(request, status)));
        for _ in 0..3 {
            let mut request = get(API_URL);
            request.extensions_mut().insert(key.clone());
            let _ = service.clone().oneshot(request).await;
            let _ = service.clone().oneshot(get(API_URL)).await;
            pass(Duration::from_secs(350)).await;
        }
        if let Ok(tokens) = layer.tokens(&key) {
            let _ = tokens.refresh().await;
            tokens.set(Token::bearer("hunter2-token").unwrap());
        }
    }
    layer.forget(&key);
}

#[tokio::test(start_paused = true)]
async fn keys_and_subjects_are_not_recorded_at_any_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_writer(log.clone());
    let _subscriber = tracing::subscriber::set_default(subscriber.finish());
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    run(person("key"), |_: &Person| grant()).await;
    run(Subject::new("hunter2-subject"), |user: &Subject| {
        let client = Client::basic("gateway", "hunter2-secret");
        TokenExchange::new(TOKEN_URL, client, token_type::ACCESS_TOKEN, user.clone())
    })
    .await;
    run(person("panic"), |key: &Person| -> Result<ClientCredentials, Error> { panic!("{key:?}") }).await;
    let text = log.text() + &recorder.handle().render();
    for public in ["oauth2.token", "token obtained", "refresh failed", "token rejected", "token forgotten"] {
        assert!(text.contains(public), "{public} was not recorded: the test searches the wrong text\n{text}");
    }
    assert_eq!(text.lines().find(|line| line.contains(WORD)), None);
}
