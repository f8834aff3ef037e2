//! A rotated refresh token is not lost if the caller that started the refresh is dropped at any moment.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use serde_json::json;
use tokio_test::task;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::{OAuth2, OAuth2Layer};

use crate::support::{API_URL, Body, TOKEN_URL, answer, form, get, pass};

type Inner = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// An authorization server that rotates refresh tokens and records the ones it has received. It yields before and after it replaces a token.
fn rotating() -> (OAuth2<Inner, RefreshToken>, Arc<Mutex<Vec<String>>>) {
    let spent = Arc::new(Mutex::new(Vec::new()));
    let log = spent.clone();
    let inner = service_fn(move |request: Request<Body>| {
        let log = log.clone();
        async move {
            yield_times(3).await;
            if request.uri() != TOKEN_URL {
                return Ok::<_, BoxError>(answer(200, ""));
            }
            let sent = form(request).await.into_iter().find(|(name, _)| name == "refresh_token").unwrap().1;
            log.lock().unwrap().push(sent);
            let next = log.lock().unwrap().len() + 1;
            yield_times(3).await;
            Ok(answer(200, json!({"access_token": "a", "refresh_token": format!("r{next}"), "expires_in": 3600})))
        }
    });
    let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r1").unwrap();
    (OAuth2Layer::new(grant).layer(Inner::new(inner)), spent)
}

/// Reyields `Pending` this number of times, and wakes the task each time.
async fn yield_times(times: usize) {
    for _ in 0..times {
        let mut given = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut given, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Sends another request. Reyields the refresh tokens that were sent, and the current one.
async fn afterwards(service: OAuth2<Inner, RefreshToken>, spent: &Mutex<Vec<String>>) -> (Vec<String>, String) {
    let tokens = service.tokens();
    service.oneshot(get(API_URL)).await.unwrap();
    (spent.lock().unwrap().clone(), tokens.peek().unwrap().refresh_token().unwrap().to_owned())
}

/// The maximum number of polls before the caller is dropped: more than a whole refresh takes.
const POLLS: usize = 40;

#[tokio::test(start_paused = true)]
async fn the_caller_is_dropped_after_any_number_of_polls() {
    let mut finished = 0;
    for polls in 0..POLLS {
        let (service, spent) = rotating();
        let mut caller = task::spawn(service.clone().oneshot(get(API_URL)));
        for _ in 0..polls {
            if caller.poll().is_ready() {
                finished += 1;
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(caller);
        assert_eq!(afterwards(service, &spent).await, (vec!["r1".to_owned()], "r2".to_owned()), "after {polls} polls");
    }
    assert!((1..POLLS).contains(&finished), "{finished} of {POLLS}: not all moments were tested");
}

#[tokio::test(start_paused = true)]
async fn the_callers_task_is_aborted_after_any_number_of_yields() {
    for yields in 0..POLLS {
        let (service, spent) = rotating();
        let caller = tokio::spawn(service.clone().oneshot(get(API_URL)));
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        caller.abort();
        let _ = caller.await;
        assert_eq!(
            afterwards(service, &spent).await,
            (vec!["r1".to_owned()], "r2".to_owned()),
            "after {yields} yields"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_caller_of_the_handle_is_dropped_after_any_number_of_polls() {
    for polls in 0..POLLS {
        let (service, spent) = rotating();
        service.clone().oneshot(get(API_URL)).await.unwrap();
        let tokens = service.tokens();
        let mut caller = task::spawn(async move { tokens.refresh().await });
        for _ in 0..polls {
            if caller.poll().is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(caller);
        service.tokens().invalidate();
        let (spent, held) = afterwards(service, &spent).await;
        let in_order: Vec<String> = (1..=spent.len()).map(|n| format!("r{n}")).collect();
        assert_eq!(spent, in_order, "each one is sent once");
        assert_eq!(held, format!("r{}", spent.len() + 1));
    }
}

/// Without a runtime, the next caller polls the refresh that the first one has left.
#[test]
fn without_a_runtime() {
    for polls in 0..POLLS {
        let (service, spent) = rotating();
        let mut caller = task::spawn(service.clone().oneshot(get(API_URL)));
        for _ in 0..polls {
            if caller.poll().is_ready() {
                break;
            }
        }
        drop(caller);
        let mut next = task::spawn(afterwards(service, &spent));
        let outcome = (0..10 * POLLS).find_map(|_| match next.poll() {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        });
        assert_eq!(outcome.expect("no end"), (vec!["r1".to_owned()], "r2".to_owned()), "after {polls} polls");
    }
}

/// The runtime of the refresh shuts down after any number of yields, and the next runtime completes it.
#[test]
fn the_runtime_shuts_down_after_any_number_of_yields() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for yields in 0..POLLS {
        let (service, spent) = rotating();
        let first = runtime();
        first.block_on(async {
            tokio::spawn(service.clone().oneshot(get(API_URL)));
            for _ in 0..yields {
                tokio::task::yield_now().await;
            }
        });
        drop(first);
        let outcome = runtime().block_on(afterwards(service, &spent));
        assert_eq!(outcome, (vec!["r1".to_owned()], "r2".to_owned()), "after {yields} yields");
    }
}

/// The timeout of the caller does not cancel the refresh.
#[tokio::test(start_paused = true)]
async fn the_timeout_of_the_caller_does_not_cancel_the_refresh() {
    let (service, spent) = rotating();
    let slow = tower::ServiceBuilder::new().timeout(Duration::ZERO).service(service.clone());
    let _ = slow.oneshot(get(API_URL)).await;
    pass(Duration::from_millis(1)).await;
    assert_eq!(afterwards(service, &spent).await, (vec!["r1".to_owned()], "r2".to_owned()));
}

/// A proactive refresh does not depend on the request that started it.
#[tokio::test(start_paused = true)]
async fn a_proactive_refresh_outlives_the_request_that_started_it() {
    for polls in 0..POLLS {
        let (service, spent) = rotating();
        service.clone().oneshot(get(API_URL)).await.unwrap();
        pass(Duration::from_secs(3600 - 200)).await;
        let mut caller = task::spawn(service.clone().oneshot(get(API_URL)));
        for _ in 0..=polls {
            if caller.poll().is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(caller);
        pass(Duration::from_secs(1)).await;
        let expected = (vec!["r1".to_owned(), "r2".to_owned()], "r3".to_owned());
        assert_eq!(afterwards(service, &spent).await, expected, "after {polls} polls");
    }
}
