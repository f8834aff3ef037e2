//! `Tokens::flush` waits for a running refresh and a running save, and starts neither.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_test::task;
use tower::{Service as _, ServiceExt};
use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::{OAuth2Layer, Token, Tokens};

use crate::support::{API_URL, answer, get, layer, mock_service, pass, spawn_refresh, token, token_endpoint};

fn flushed(tokens: &Tokens) -> tokio::task::JoinHandle<()> {
    let tokens = tokens.clone();
    tokio::spawn(async move { tokens.flush().await })
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_the_running_refresh() {
    let (service, mut server) = mock_service(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    sent.abort();
    let (one, two) = (flushed(&service.tokens()), flushed(&service.tokens()));
    pass(Duration::from_secs(10)).await;
    assert!(!one.is_finished() && !two.is_finished());
    respond.send_response(answer(200, token("a", 3600)));
    one.await.unwrap();
    two.await.unwrap();
    assert_eq!(service.tokens().peek().unwrap().access_token(), "a");
}

#[tokio::test(start_paused = true)]
async fn it_starts_nothing() {
    let (mut service, mut server) = mock_service(&layer());
    let tokens = service.tokens();
    tokens.flush().await;
    tokens.set(Token::bearer("a").unwrap().with_expires_in(Duration::ZERO));
    tokens.flush().await;
    tokens.set(Token::bearer("b").unwrap());
    service.ready().await.unwrap();
    tokens.invalidate();
    tokens.flush().await;
    tokens.forget();
    tokens.flush().await;
    server.assert_no_request().await;
    // It works after the layer was dropped.
    drop((service, server));
    tokens.flush().await;
}

/// A failure ends the wait, too.
#[tokio::test(start_paused = true)]
async fn a_failure_or_a_panic_ends_the_wait() {
    let (service, mut server) = mock_service(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    let flushed = flushed(&service.tokens());
    respond.send_response(answer(503, ""));
    flushed.await.unwrap();
    sent.await.unwrap().unwrap_err();

    let layer = OAuth2Layer::new(grant_fn(async |_: Context| -> Result<Token, tower_oauth2::Error> { panic!("once") }));
    let tokens = layer.token_service(token_endpoint(vec![]).0).tokens();
    tokens.get().await.unwrap_err();
    tokens.flush().await;
}

/// A superseded refresh may rotate the refresh token at the server, so `flush` waits for it.
#[tokio::test(start_paused = true)]
async fn it_waits_for_a_superseded_refresh_too() {
    let (service, mut server) = mock_service(&layer());
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    service.tokens().set(Token::bearer("set").unwrap());
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
    let flushed = flushed(&service.tokens());
    pass(Duration::from_secs(10)).await;
    assert!(!flushed.is_finished());
    respond.send_response(answer(200, token("late", 3600)));
    flushed.await.unwrap();
    assert_eq!(service.tokens().peek().unwrap().access_token(), "set");
}

/// Without a runtime it polls the refresh itself.
#[test]
fn without_a_runtime() {
    let polls = Arc::new(AtomicUsize::new(0));
    let counter = polls.clone();
    let layer = OAuth2Layer::new(grant_fn(move |_: Context| {
        let mut left = 100;
        let counter = counter.clone();
        std::future::poll_fn(move |cx| {
            counter.fetch_add(1, Ordering::SeqCst);
            left -= 1;
            if left > 0 {
                cx.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            std::task::Poll::Ready(Token::bearer("a"))
        })
    }));
    let tokens = layer.token_service(token_endpoint(vec![]).0).tokens();
    {
        let mut one = task::spawn(tokens.get());
        assert!(one.poll().is_pending());
    }
    let mut flushed = task::spawn(tokens.flush());
    for _ in 0..100 {
        if flushed.poll().is_ready() {
            assert_eq!(tokens.peek().unwrap().access_token(), "a");
            return;
        }
        assert!(flushed.is_woken());
    }
    panic!("the refresh was not polled enough: {}", polls.load(Ordering::SeqCst));
}

/// Without a runtime, a superseded refresh that is no longer polled does not block it.
#[test]
fn without_a_runtime_after_forget() {
    let layer = OAuth2Layer::new(grant_fn(async |_: Context| pending().await));
    let tokens = layer.token_service(token_endpoint(vec![]).0).tokens();
    {
        let mut one = task::spawn(tokens.get());
        assert!(one.poll().is_pending());
    }
    let mut flushed = task::spawn(tokens.flush());
    assert!(flushed.poll().is_pending());
    tokens.forget();
    assert!(flushed.is_woken());
    assert!(flushed.poll().is_ready());
}

/// A refresh whose runtime has shut down is dropped if it has no waiters. It does not block `flush` in another runtime.
#[test]
fn after_the_runtime_of_the_refresh_has_shut_down() {
    let layer = OAuth2Layer::new(grant_fn(async |_: Context| pending().await));
    let layer = layer.token_timeout(Duration::from_millis(200)).unwrap();
    let tokens = layer.token_service(token_endpoint(vec![]).0).tokens();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime();
    ended.block_on(async { drop(tokio::time::timeout(Duration::from_millis(10), tokens.get()).await) });
    drop(ended);
    runtime().block_on(async {
        // `flush` polls the refresh from now on, and the stall timeout applies only to tasks that are not polled. So the test limits the wait.
        let _ = tokio::time::timeout(Duration::from_millis(100), tokens.flush()).await;
        tokens.forget();
        tokio::time::timeout(Duration::from_secs(10), tokens.flush()).await.expect("flush is blocked");
    });
}

/// It also waits for a save in the background.
#[tokio::test(start_paused = true)]
async fn it_waits_for_a_save() {
    use tower_oauth2::client::Client;
    use tower_oauth2::grant::RefreshToken;
    use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};

    /// Fails to save until the flag is set.
    #[derive(Clone, Default)]
    struct Broken(MemoryStore, Arc<std::sync::atomic::AtomicBool>);

    impl TokenStore for Broken {
        type Lock = <MemoryStore as TokenStore>::Lock;

        async fn lock(&self, key: &Key) -> Result<Self::Lock, tower::BoxError> {
            self.0.lock(key).await
        }

        async fn load(&self, key: &Key) -> Result<Option<Entry>, tower::BoxError> {
            self.0.load(key).await
        }

        async fn save(&self, key: &Key, entry: &Entry, lock: &mut Self::Lock) -> Result<(), tower::BoxError> {
            if self.1.load(Ordering::SeqCst) {
                self.0.save(key, entry, lock).await
            } else {
                Err("the disk is full".into())
            }
        }

        async fn clear(&self, key: &Key, generation: u64) -> Result<(), tower::BoxError> {
            self.0.clear(key, generation).await
        }
    }

    let store = Broken::default();
    let grant = RefreshToken::new(crate::support::TOKEN_URL, Client::public("id"), "r0").unwrap();
    let grant = grant.persisted(store.clone()).refresh_without_store();
    let key = grant.key().clone();
    let (auth, _forms) = token_endpoint(vec![answer(
        200,
        serde_json::json!({"access_token": "a", "refresh_token": "r1", "expires_in": 3600}),
    )]);
    let tokens = OAuth2Layer::new(grant).token_service(auth).tokens();
    let got = tokio::time::timeout(Duration::from_secs(60), tokens.get()).await.expect("no token").unwrap();
    assert_eq!(got.access_token(), "a");
    let flushed = flushed(&tokens);
    pass(Duration::from_secs(2)).await;
    assert!(!flushed.is_finished(), "the save has not succeeded yet");
    store.1.store(true, Ordering::SeqCst);
    flushed.await.unwrap();
    assert!(store.load(&key).await.unwrap().is_some());
}

/// It does not block requests.
#[tokio::test(start_paused = true)]
async fn requests_are_sent_meanwhile() {
    let (mut service, mut server) = mock_service(&layer());
    service.tokens().set(Token::bearer("a").unwrap());
    service.ready().await.unwrap();
    let refreshed = spawn_refresh(&service.tokens());
    let (_, respond) = server.token_request().await;
    let flushed = flushed(&service.tokens());
    let sent = service.call(get(API_URL));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap();
    respond.send_response(answer(200, token("b", 3600)));
    flushed.await.unwrap();
    refreshed.await.unwrap().unwrap();
}
