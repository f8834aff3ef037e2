//! A refresh token that was spent is never lost: whoever began the call may go away at any moment.

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

/// An authorization server that rotates, and remembers what it was sent. It gives way before and after it has spent a token.
fn rotating() -> (OAuth2<Inner, RefreshToken>, Arc<Mutex<Vec<String>>>) {
    let spent = Arc::new(Mutex::new(Vec::new()));
    let log = spent.clone();
    let inner = service_fn(move |request: Request<Body>| {
        let log = log.clone();
        async move {
            give_way(3).await;
            if request.uri() != TOKEN_URL {
                return Ok::<_, BoxError>(answer(200, ""));
            }
            let sent = form(request).await.into_iter().find(|(name, _)| name == "refresh_token").unwrap().1;
            log.lock().unwrap().push(sent);
            let next = log.lock().unwrap().len() + 1;
            give_way(3).await;
            Ok(answer(200, json!({"access_token": "a", "refresh_token": format!("r{next}"), "expires_in": 3600})))
        }
    });
    let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r1").unwrap();
    (OAuth2Layer::new(grant).layer(Inner::new(inner)), spent)
}

/// That many times pending, and woken at once.
async fn give_way(times: usize) {
    for _ in 0..times {
        let mut given = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut given, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// The refresh tokens that were sent, and the one that is held, once a next request has been served.
async fn afterwards(service: OAuth2<Inner, RefreshToken>, spent: &Mutex<Vec<String>>) -> (Vec<String>, String) {
    let tokens = service.tokens();
    service.oneshot(get(API_URL)).await.unwrap();
    (spent.lock().unwrap().clone(), tokens.peek().unwrap().refresh_token().unwrap().to_owned())
}

/// How often the caller is polled before it is done, were it not dropped before: more than the whole call takes.
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
    assert!((1..POLLS).contains(&finished), "{finished} of {POLLS}: not every moment was met");
}

#[tokio::test(start_paused = true)]
async fn the_callers_task_is_aborted_after_any_number_of_turns() {
    for turns in 0..POLLS {
        let (service, spent) = rotating();
        let caller = tokio::spawn(service.clone().oneshot(get(API_URL)));
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        caller.abort();
        let _ = caller.await;
        assert_eq!(afterwards(service, &spent).await, (vec!["r1".to_owned()], "r2".to_owned()), "after {turns} turns");
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
        assert_eq!(spent, in_order, "none twice, none skipped");
        assert_eq!(held, format!("r{}", spent.len() + 1));
    }
}

/// Without a runtime the next caller drives on what the first one left behind.
#[test]
fn without_a_runtime_too() {
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

/// The runtime under the call goes away after any number of turns, and a next one goes on.
#[test]
fn the_runtime_goes_away_after_any_number_of_turns() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for turns in 0..POLLS {
        let (service, spent) = rotating();
        let first = runtime();
        first.block_on(async {
            tokio::spawn(service.clone().oneshot(get(API_URL)));
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        });
        drop(first);
        let outcome = runtime().block_on(afterwards(service, &spent));
        assert_eq!(outcome, (vec!["r1".to_owned()], "r2".to_owned()), "after {turns} turns");
    }
}

/// The caller's own patience ends, not the call.
#[tokio::test(start_paused = true)]
async fn the_callers_time_out_is_not_the_calls() {
    let (service, spent) = rotating();
    let slow = tower::ServiceBuilder::new().timeout(Duration::ZERO).service(service.clone());
    let _ = slow.oneshot(get(API_URL)).await;
    pass(Duration::from_millis(1)).await;
    assert_eq!(afterwards(service, &spent).await, (vec!["r1".to_owned()], "r2".to_owned()));
}

/// A token renewed ahead of its end belongs to no caller at all.
#[tokio::test(start_paused = true)]
async fn a_call_ahead_of_time_outlives_the_request_that_saw_it_was_due() {
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
