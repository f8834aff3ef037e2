//! A poll always returns: without a runtime, in a runtime without timers, and in one that shuts down.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use tokio::runtime::Builder;
use tokio_test::task;
use tower::{Layer, Service as _, ServiceExt, service_fn};
use tower_oauth2::grant::{self, grant_fn};
use tower_oauth2::{OAuth2Layer, Token};

use crate::support::{API_URL, Body, TOKEN_URL, answer, authorization, get, layer, token};

/// Returns a future that wakes itself, and ends after this number of polls.
async fn yields(polls: usize) {
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn api(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let authorized = authorization(&request).unwrap_or_default().to_owned();
    // The response is pending once, so that all timeouts start.
    yields(1).await;
    Ok(if request.uri() == TOKEN_URL { answer(200, token("a", 3600)) } else { answer(200, authorized) })
}

#[test]
fn a_poll_of_a_grant_that_always_wakes_itself_returns() {
    let polls = Arc::new(AtomicUsize::new(0));
    let counter = polls.clone();
    let layer = OAuth2Layer::new(grant_fn(move |_: grant::Context| {
        let counter = counter.clone();
        async move {
            loop {
                counter.fetch_add(1, Ordering::SeqCst);
                yields(1).await;
            }
        }
    }));
    let mut service = layer.layer(service_fn(api));
    let mut ready = task::spawn(poll_fn(|cx| service.poll_ready(cx)));
    let mut seen = 0;
    for _ in 0..3 {
        assert!(ready.poll().is_pending());
        assert!(ready.is_woken(), "it must be polled again");
        let now = polls.load(Ordering::SeqCst);
        assert!((1..1000).contains(&(now - seen)), "{now} after {seen}");
        seen = now;
    }
    drop(ready);
    let tokens = layer.tokens();
    for mut call in [
        Box::pin(async { drop(tokens.get().await) }) as Pin<Box<dyn Future<Output = ()>>>,
        Box::pin(async { drop(tokens.refresh().await) }),
        Box::pin(tokens.flush()),
    ] {
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
}

#[test]
fn a_grant_that_wakes_itself_often_completes() {
    let layer = OAuth2Layer::new(grant_fn(async |_: grant::Context| {
        yields(1000).await;
        Token::bearer("a")
    }));
    let mut service = layer.layer(service_fn(api));
    let mut ready = task::spawn(poll_fn(|cx| service.poll_ready(cx)));
    let polls = (1..2000).find(|_| ready.poll().is_ready()).expect("it never completes");
    assert!(polls > 1);
    drop(ready);
    assert_eq!(layer.tokens().peek().unwrap().access_token(), "a");
}

/// All waiters poll the grant, and none starves the others.
#[test]
fn several_waiters_of_a_grant_that_wakes_itself_all_complete() {
    let layer = OAuth2Layer::new(grant_fn(async |_: grant::Context| {
        yields(100).await;
        Token::bearer("a")
    }));
    let service = layer.layer(service_fn(api));
    let mut waiting: Vec<_> = (0..5).map(|_| task::spawn(service.clone().oneshot(get(API_URL)))).collect();
    for _ in 0..1000 {
        waiting.retain_mut(|sent| sent.poll().is_pending());
    }
    assert!(waiting.is_empty());
}

/// Asserts with a panic hook that no code panics on this thread.
fn without_panics(run: impl FnOnce()) {
    let panics = Arc::new(AtomicUsize::new(0));
    let (counter, previous) = (panics.clone(), Arc::new(std::panic::take_hook()));
    let thread = std::thread::current().id();
    std::panic::set_hook(Box::new({
        let previous = previous.clone();
        move |info| {
            // Other tests of this process panic on purpose.
            if std::thread::current().id() == thread {
                counter.fetch_add(1, Ordering::SeqCst);
            }
            previous(info);
        }
    }));
    run();
    let _ = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| previous(info)));
    assert_eq!(panics.load(Ordering::SeqCst), 0, "something panicked");
}

#[test]
fn a_runtime_without_timers_works() {
    let layer = layer().max_wait(Duration::from_secs(60));
    let service = layer.layer(service_fn(api));
    without_panics(|| {
        Builder::new_current_thread().build().unwrap().block_on(async {
            // The first request waits for a token request, with all of its timeouts.
            for _ in 0..3 {
                assert_eq!(service.clone().oneshot(get(API_URL)).await.unwrap().status(), 200);
            }
            let keep_fresh = tokio::spawn(layer.tokens().keep_fresh());
            layer.tokens().refresh().await.unwrap();
            tokio::task::yield_now().await;
            keep_fresh.abort();
            layer.tokens().flush().await;
        });
    });
}

/// It does not affect other runtimes: the token request of the next one has its timeout, and the fast path works.
#[tokio::test(start_paused = true)]
async fn a_runtime_without_timers_does_not_affect_other_runtimes() {
    let silent =
        service_fn(async |_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>().await);
    let layer = layer().token_service(silent);
    let service = layer.layer(service_fn(api));
    let in_thread = service.clone();
    std::thread::spawn(move || {
        Builder::new_current_thread().build().unwrap().block_on(async {
            in_thread.tokens().set(Token::bearer("a").unwrap());
            in_thread.clone().oneshot(get(API_URL)).await.unwrap();
            in_thread.tokens().forget();
        });
    })
    .join()
    .unwrap();
    let began = tokio::time::Instant::now();
    let error = crate::support::ours(service.oneshot(get(API_URL)).await.unwrap_err());
    assert_eq!((error.kind(), began.elapsed().as_secs()), (tower_oauth2::ErrorKind::Timeout, 30));
}

/// A token request in a runtime without timers has its timeout, too.
#[test]
fn the_timeouts_work_without_timers() {
    let silent =
        || service_fn(async |_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>().await);
    without_panics(|| {
        Builder::new_current_thread().build().unwrap().block_on(async {
            let layer = layer().token_timeout(Duration::from_millis(50)).unwrap().token_service(silent());
            assert_eq!(layer.tokens().get().await.unwrap_err().kind(), tower_oauth2::ErrorKind::Timeout);
        });
        Builder::new_current_thread().build().unwrap().block_on(async {
            let layer = layer().max_wait(Duration::from_millis(50)).token_service(silent());
            let error = layer.layer(service_fn(api)).oneshot(get(API_URL)).await.unwrap_err();
            assert_eq!(crate::support::ours(error).kind(), tower_oauth2::ErrorKind::Timeout);
        });
    });
}
