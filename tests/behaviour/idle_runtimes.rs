//! A refresh task whose runtime makes no progress is cancelled, and one that makes progress is not.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{Request, Response};
use tokio::runtime::{Builder, Runtime};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{Context, Grant, RefreshToken, grant_fn};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{API_URL, Body, TOKEN_URL, TokenService, answer, get, ours, spawn_refresh};

const TIMEOUT: Duration = Duration::from_millis(300);
/// The delay that a busy machine may cause.
const SLACK: Duration = Duration::from_secs(5);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Returns a grant whose first `hanging` calls never complete.
fn hangs(hanging: usize) -> (impl Grant, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let grant = grant_fn(move |_: Context| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move { if call < hanging { pending().await } else { Token::bearer("next") } }
    });
    (grant, calls)
}

fn no_network() -> TokenService {
    TokenService::new(service_fn(async |_: Request<Body>| Err::<Response<Body>, _>(BoxError::from("no network"))))
}

fn api(request: Request<Body>) -> std::future::Ready<Result<Response<Body>, Infallible>> {
    drop(request);
    std::future::ready(Ok(answer(200, "")))
}

/// Fails the test if the caller waits without end.
async fn in_time<T>(caller: impl Future<Output = T>) -> T {
    tokio::time::timeout(SLACK, caller).await.expect("the caller waits without end")
}

/// Starts a refresh in a runtime that is idle afterwards.
fn start_in_an_idle_runtime(tokens: &Tokens) -> Runtime {
    let idle = runtime();
    let started = idle.block_on(async { tokio::time::timeout(Duration::from_millis(20), tokens.get()).await });
    assert!(started.is_err(), "{started:?}");
    idle
}

#[test]
fn callers_of_another_runtime_get_a_timeout_and_then_a_new_attempt() {
    let (grant, calls) = hangs(1);
    let layer = OAuth2Layer::new(grant).token_timeout(TIMEOUT).unwrap().token_service(no_network());
    let (tokens, service) = (layer.tokens(), layer.layer(service_fn(api)));
    let _idle = start_in_an_idle_runtime(&tokens);

    runtime().block_on(async {
        let began = Instant::now();
        let request = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let refresh = spawn_refresh(&tokens);
        let error = in_time(tokens.get()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.is_transient() && error.retry_at().is_some());
        assert!(error.to_string().contains("idle"), "{error}");
        assert!(began.elapsed() >= TIMEOUT / 2, "{:?}", began.elapsed());
        assert_eq!(ours(request.await.unwrap().unwrap_err()).kind(), ErrorKind::Timeout);
        assert_eq!(refresh.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(calls.load(Ordering::SeqCst), 1);

        assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Timeout, "the back-off");
        tokio::time::sleep(Duration::from_millis(1_250)).await;
        assert_eq!(service.oneshot(get(API_URL)).await.unwrap().status(), 200);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    });
}

/// The result of a cancelled task does not replace a newer one.
#[test]
fn the_idle_runtime_can_be_used_again() {
    let (grant, calls) = hangs(1);
    let layer = OAuth2Layer::new(grant).token_timeout(TIMEOUT).unwrap().token_service(no_network());
    let tokens = layer.tokens();
    let idle = start_in_an_idle_runtime(&tokens);
    runtime().block_on(async {
        assert_eq!(in_time(tokens.get()).await.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(in_time(tokens.refresh()).await.unwrap().access_token(), "next");
    });
    idle.block_on(async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(tokens.get().await.unwrap().access_token(), "next");
    });
    drop(idle);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

/// A token that is still in use is sent meanwhile, and no request waits.
#[test]
fn an_idle_proactive_refresh_does_not_block_requests() {
    let (grant, calls) = hangs(1);
    let layer = OAuth2Layer::new(grant).token_timeout(TIMEOUT).unwrap().refresh_ahead(Duration::from_secs(3600));
    let (tokens, service) = (layer.tokens(), layer.layer(service_fn(api)));
    let idle = runtime();
    idle.block_on(async {
        // Less than half of the lifetime remains, so the token is due.
        let token: Token = serde_json::from_value(serde_json::json!({
            "access_token": "due", "expires_in": 3600, "expires_at": unix_now() + 1000
        }))
        .unwrap();
        tokens.set(token);
        service.clone().oneshot(get(API_URL)).await.unwrap();
        tokio::task::yield_now().await;
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1, "the token was not due");
    runtime().block_on(async {
        let end = Instant::now() + 3 * TIMEOUT;
        while Instant::now() < end {
            let began = Instant::now();
            service.clone().oneshot(get(API_URL)).await.unwrap();
            assert!(began.elapsed() < TIMEOUT, "a request waited");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // The cancelled refresh does not block a forced one.
        assert_eq!(in_time(tokens.refresh()).await.unwrap().access_token(), "next");
    });
}

fn unix_now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// The lock of the store is not held for longer than the token timeout: another process could not refresh.
#[test]
fn the_lock_of_the_store_is_released() {
    let store = MemoryStore::new();
    let grant = || RefreshToken::new(TOKEN_URL, Client::public("id"), "r0").unwrap().persisted(store.clone());
    let silent = TokenService::new(service_fn(async |_: Request<Body>| pending().await));
    let answers = TokenService::new(service_fn(async |_: Request<Body>| {
        Ok(answer(200, serde_json::json!({"access_token": "a", "refresh_token": "r1", "expires_in": 3600})))
    }));
    let one = OAuth2Layer::new(grant()).token_timeout(TIMEOUT).unwrap().token_service(silent);
    let other = OAuth2Layer::new(grant()).token_timeout(TIMEOUT).unwrap().token_service(answers);
    let _idle = start_in_an_idle_runtime(&one.tokens());
    runtime().block_on(async {
        let began = Instant::now();
        let token = loop {
            match in_time(other.tokens().get()).await {
                Ok(token) => break token,
                Err(error) => assert!(error.is_transient() && began.elapsed() < SLACK, "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(token.access_token(), "a");
    });
}

/// A login has its own timeout, and is not cancelled after the token timeout.
#[cfg(feature = "loopback")]
#[test]
fn a_login_in_an_idle_runtime_has_the_timeout_of_the_login() {
    use tower_oauth2::grant::AuthorizationCode;

    let grant = AuthorizationCode::new("https://auth.example.com/authorize", TOKEN_URL, Client::public("id")).unwrap();
    let grant = grant.browser(|_| ());
    let layer = OAuth2Layer::new(grant).token_timeout(TIMEOUT).unwrap().token_service(no_network());
    still_waits_after_the_token_timeout(&layer.tokens());
}

#[test]
fn a_device_login_in_an_idle_runtime_has_the_timeout_of_the_login() {
    use tower_oauth2::grant::DeviceCode;

    let auth = TokenService::new(service_fn(async |request: Request<Body>| {
        Ok(if request.uri() == TOKEN_URL {
            answer(400, r#"{"error": "authorization_pending"}"#)
        } else {
            answer(
                200,
                r#"{"device_code": "d", "user_code": "u", "verification_uri": "https://example.com", "expires_in": 600}"#,
            )
        })
    }));
    let grant = DeviceCode::new("https://auth.example.com/device", TOKEN_URL, Client::public("id"), |_| ()).unwrap();
    let layer = OAuth2Layer::new(grant).token_timeout(TIMEOUT).unwrap().token_service(auth);
    still_waits_after_the_token_timeout(&layer.tokens());
}

fn still_waits_after_the_token_timeout(tokens: &Tokens) {
    let idle = start_in_an_idle_runtime(tokens);
    runtime().block_on(async {
        let waited = tokio::time::timeout(3 * TIMEOUT, tokens.get()).await;
        assert!(waited.is_err(), "it was cancelled: {waited:?}");
    });
    // The runtime that started the login continues it.
    let waited = idle.block_on(async { tokio::time::timeout(TIMEOUT, tokens.get()).await });
    assert!(waited.is_err(), "it was cancelled: {waited:?}");
}

/// The timeout applies to runtimes without progress. A slow grant is not cancelled.
#[test]
fn a_slow_grant_in_a_running_runtime_is_not_cancelled() {
    let grant = grant_fn(async |_: Context| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Token::bearer("slow")
    });
    let layer = OAuth2Layer::new(grant).token_timeout(Duration::from_millis(200)).unwrap().token_service(no_network());
    let tokens = layer.tokens();
    let live = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    live.spawn({
        let tokens = tokens.clone();
        async move { tokens.get().await }
    });
    let token = runtime().block_on(async { tokio::time::timeout(SLACK, tokens.get()).await });
    assert_eq!(token.unwrap().unwrap().access_token(), "slow");
}

/// A caller without a runtime also gets the timeout.
#[test]
fn a_caller_without_a_runtime_gets_the_timeout_too() {
    let (grant, _) = hangs(1);
    let layer = OAuth2Layer::new(grant).token_timeout(TIMEOUT).unwrap().token_service(no_network());
    let tokens = layer.tokens();
    let _idle = start_in_an_idle_runtime(&tokens);
    let mut got = tokio_test::task::spawn(async { tokens.get().await });
    let end = Instant::now() + SLACK;
    let error = loop {
        match got.poll() {
            std::task::Poll::Ready(outcome) => break outcome.unwrap_err(),
            std::task::Poll::Pending => {}
        }
        while !got.is_woken() {
            assert!(Instant::now() < end, "the caller waits without end");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

/// After the runtime has shut down, the waiters poll the refresh.
#[test]
fn waiters_poll_the_refresh_of_a_runtime_that_has_shut_down() {
    let release = Arc::new(tokio::sync::Notify::new());
    let grant = grant_fn({
        let release = release.clone();
        move |_: Context| {
            let release = release.clone();
            async move {
                release.notified().await;
                Token::bearer("a")
            }
        }
    });
    let layer = OAuth2Layer::new(grant).token_service(no_network());
    let tokens = layer.tokens();
    let idle = start_in_an_idle_runtime(&tokens);
    runtime().block_on(async {
        let waiting = tokio::spawn({
            let tokens = tokens.clone();
            async move { tokens.get().await }
        });
        tokio::task::yield_now().await;
        tokio::task::spawn_blocking(move || drop(idle)).await.unwrap();
        release.notify_one();
        assert_eq!(in_time(waiting).await.unwrap().unwrap().access_token(), "a");
    });
}

/// A refresh that is not polled does not keep the cell in memory.
#[test]
fn an_idle_refresh_does_not_keep_the_inner_service_alive() {
    let (grant, _) = hangs(usize::MAX);
    let held = Arc::new(());
    let inner = {
        let held = held.clone();
        service_fn(move |_: Request<Body>| {
            let _held = held.clone();
            async { Ok::<_, Infallible>(answer(200, "")) }
        })
    };
    let layer = OAuth2Layer::new(grant).token_timeout(TIMEOUT).unwrap();
    let service = layer.layer(inner);
    let idle = runtime();
    idle.block_on(async {
        let _ = tokio::time::timeout(Duration::from_millis(20), service.clone().oneshot(get(API_URL))).await;
    });
    drop((service, layer));
    let end = Instant::now() + SLACK;
    while Arc::strong_count(&held) > 1 {
        assert!(Instant::now() < end, "the inner service was not dropped");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(idle);
}

/// A grant that blocks its thread makes no progress, either.
#[test]
fn a_blocked_runtime_does_not_block_other_runtimes() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let grant = grant_fn(move |_: Context| {
        let is_first = counter.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if is_first {
                std::thread::sleep(4 * TIMEOUT);
            }
            Token::bearer(if is_first { "late" } else { "next" })
        }
    });
    let layer = OAuth2Layer::new(grant).token_timeout(TIMEOUT).unwrap().token_service(no_network());
    let tokens = layer.tokens();
    let blocked = std::thread::spawn({
        let tokens = tokens.clone();
        move || runtime().block_on(async { tokens.get().await })
    });
    while calls.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    runtime().block_on(async {
        let began = Instant::now();
        assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Timeout);
        assert!(began.elapsed() < 3 * TIMEOUT, "{:?}", began.elapsed());
        assert_eq!(tokens.refresh().await.unwrap().access_token(), "next");
    });
    drop(blocked.join().unwrap());
    assert_eq!(tokens.peek().unwrap().access_token(), "next", "the late token replaced it");
}
