//! Failures are logged at the appropriate level.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tower::BoxError;
use tower_oauth2::OAuth2Layer;
use tower_oauth2::client::Client;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};
use tracing::Level;

use crate::endpoint;
use crate::recorded::Recorded;
use crate::support::{TOKEN_URL, answer, grant, layer, ours, pass, token};

const FAILED: &str = "refresh failed, and requests fail";
const REJECTED: &str = "refresh rejected, and requests fail";
const STILL_VALID: &str = "refresh failed, and the token stays in use until it expires";
const LOGIN: &str = "login required, and requests fail until a person logs in";

#[tokio::test(start_paused = true)]
async fn a_transient_failure_is_a_warning() {
    let (recorded, _subscriber) = Recorded::install();
    let mut overloaded = answer(503, json!({"error": "server_error", "error_description": "hush"}));
    overloaded.headers_mut().insert("retry-after", "60".parse().unwrap());
    let layer = layer().token_service(endpoint(vec![overloaded]));
    ours(layer.tokens().get().await.unwrap_err().into());

    let event = recorded.event(FAILED);
    assert_eq!(event.level, Level::WARN);
    for (name, value) in [
        ("oauth2.endpoint", "auth.example.com/token"),
        ("oauth2.error", "server_error"),
        ("http.response.status_code", "503"),
        ("error.type", "overloaded"),
    ] {
        assert_eq!(event.field(name), Some(value), "{name}");
    }
    let retry_in = event.field("oauth2.retry_in_ms").unwrap().parse::<u64>().unwrap();
    // Plus the jitter of the back-off.
    assert!((59_900..=60_400).contains(&retry_in), "{retry_in}");
    assert!(event.fields.values().all(|value| !value.contains("hush")), "the description is a text of the server");
    let [span] = recorded.refresh_spans().try_into().unwrap();
    assert_eq!(span.field("oauth2.outcome"), Some("overloaded"));
    assert_eq!((span.field("error.type"), span.field("otel.status_code")), (Some("overloaded"), Some("ERROR")));
    assert_eq!(span.field("oauth2.generation"), None);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_an_error_and_a_required_login_is_info() {
    for (status, error, kind, level, message) in [
        (401, "invalid_client", "client_rejected", Level::ERROR, REJECTED),
        (400, "invalid_grant", "login_required", Level::INFO, LOGIN),
        // Real servers also respond to a refresh like this.
        (400, "invalid_request", "login_required", Level::INFO, LOGIN),
    ] {
        let (recorded, _subscriber) = Recorded::install();
        let grant = RefreshToken::new(TOKEN_URL, Client::basic("id", "secret"), "r").unwrap();
        let layer = OAuth2Layer::new(grant).token_service(endpoint(vec![answer(status, json!({"error": error}))]));
        layer.tokens().get().await.unwrap_err();
        let event = recorded.event(message);
        assert_eq!(event.level, level);
        assert_eq!((event.field("error.type"), event.field("oauth2.error")), (Some(kind), Some(error)));
        assert_eq!(recorded.refresh_spans()[0].field("oauth2.grant"), Some("refresh_token"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_of_a_valid_token_is_a_warning() {
    let (recorded, _subscriber) = Recorded::install();
    let rejected = answer(400, json!({"error": "unauthorized_client"}));
    let layer = layer().token_service(endpoint(vec![answer(200, token("a", 600)), rejected]));
    layer.tokens().get().await.unwrap();
    pass(Duration::from_secs(400)).await;
    layer.tokens().get().await.unwrap();
    pass(Duration::from_millis(1)).await;
    let event = recorded.event(STILL_VALID);
    assert_eq!(event.level, Level::WARN);
    assert_eq!(recorded.refresh_spans()[1].field("oauth2.reason"), Some("proactive"));
    assert_eq!(event.field("error.type"), Some("client_rejected"));
}

/// A store that cannot be reached.
struct UnreachableStore;

impl TokenStore for UnreachableStore {
    type Lock = ();

    async fn lock(&self, _: &Key) -> Result<(), BoxError> {
        Ok(())
    }

    async fn load(&self, _: &Key) -> Result<Option<Entry>, BoxError> {
        Err("unreachable".into())
    }

    async fn save(&self, _: &Key, _: &Entry, _: &mut ()) -> Result<(), BoxError> {
        Err("unreachable".into())
    }

    async fn clear(&self, _: &Key, _: u64) -> Result<(), BoxError> {
        Err("unreachable".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_store_is_a_warning() {
    let (recorded, _subscriber) = Recorded::install();
    let layer = OAuth2Layer::new(grant().persisted(UnreachableStore)).token_service(endpoint(vec![]));
    layer.tokens().get().await.unwrap();
    let event = recorded.events("token store failed");
    assert!(!event.is_empty());
    for event in event {
        assert_eq!((event.level, event.within.as_slice()), (Level::WARN, ["oauth2.token"].as_slice()));
    }
}

/// A store that cannot be reached for a while, or whose lock another process holds.
#[derive(Clone, Default)]
struct SlowStore {
    memory: MemoryStore,
    is_unreachable: Arc<AtomicBool>,
}

impl TokenStore for SlowStore {
    type Lock = <MemoryStore as TokenStore>::Lock;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        match self.is_unreachable.load(Ordering::SeqCst) {
            true => Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into()),
            false => self.memory.lock(key).await,
        }
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.memory.load(key).await
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut Self::Lock) -> Result<(), BoxError> {
        self.memory.save(key, entry, lock).await
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.memory.clear(key, generation).await
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_store_or_its_lock_is_logged() {
    for is_unreachable in [true, false] {
        let (recorded, _subscriber) = Recorded::install();
        let store = SlowStore::default();
        store.is_unreachable.store(is_unreachable, Ordering::SeqCst);
        let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r").unwrap().persisted(store.clone());
        let held = store.memory.lock(grant.key()).await.unwrap();
        let tokens = OAuth2Layer::new(grant).token_service(endpoint(vec![])).tokens();
        let waiting = tokio::spawn(async move { tokens.get().await });
        pass(Duration::from_secs(5)).await;
        if is_unreachable {
            for message in ["token store failed", "waiting for the token store"] {
                let event = recorded.events(message);
                assert!((2..20).contains(&event.len()), "{event:?}");
                assert_eq!(
                    (event[0].level, event[0].field("error.message")),
                    (Level::WARN, Some("connection refused"))
                );
            }
        } else {
            let event = recorded.event("waiting for another process, which holds the lock of the token store");
            assert_eq!((event.level, event.within.as_slice()), (Level::INFO, ["oauth2.token"].as_slice()));
        }
        store.is_unreachable.store(false, Ordering::SeqCst);
        drop(held);
        waiting.await.unwrap().unwrap();
    }
}

/// An idle runtime makes no progress. Another thread detects that.
#[test]
fn a_stalled_refresh_is_a_warning() {
    use tracing_subscriber::layer::SubscriberExt as _;

    let recorded = Recorded::default();
    // The default for threads without a subscriber. The threads of the other tests have one.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(recorded.clone())).unwrap();
    let hangs = tower::service_fn(|_: http::Request<crate::support::Body>| {
        std::future::pending::<Result<http::Response<crate::support::Body>, BoxError>>()
    });
    let layer = layer().name("stalled").token_timeout(Duration::from_millis(50)).unwrap().token_service(hangs);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (idle, tokens) = (runtime(), layer.tokens());
    idle.block_on(async { tokio::time::timeout(Duration::from_millis(1), tokens.get()).await.unwrap_err() });
    let error = runtime().block_on(tokens.get()).unwrap_err();
    assert!(error.to_string().contains("idle"), "{error}");

    // The thread that cancels the refresh emits the event, which may happen slightly later.
    let began = std::time::Instant::now();
    let event = loop {
        let all = recorded.events("refresh stalled");
        match all.into_iter().find(|event| event.field("oauth2.name") == Some("stalled")) {
            Some(event) => break event,
            None => assert!(began.elapsed() < Duration::from_secs(60), "the event was not emitted"),
        }
        std::thread::yield_now();
    };
    assert_eq!((event.level, event.field("error.type")), (Level::WARN, Some("timeout")));
    assert!(event.field("oauth2.retry_in_ms").is_some());
}
