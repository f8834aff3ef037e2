//! Callers wait for the cell to change, not for one refresh task.

use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Response;
use tokio::task::JoinHandle;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::grant::{Context, Grant, grant_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{API_URL, Body, Service, answer, authorization, get, layer, mock_service, ours, pass, token};

/// The previous tokens of each call of a grant.
type Calls = Arc<Mutex<Vec<Option<String>>>>;

/// Returns a grant whose first calls never complete, and whose later ones return `next`.
fn unfinished_login(unanswered: usize) -> (impl Grant, Calls) {
    let calls = Calls::default();
    let seen = calls.clone();
    let grant = grant_fn(move |cx: Context| {
        let mut seen = seen.lock().unwrap();
        seen.push(cx.previous().map(|previous| previous.access_token().to_owned()));
        let is_answered = seen.len() > unanswered;
        async move { if is_answered { Token::bearer("next") } else { pending().await } }
    });
    (grant, calls)
}

fn bearer(text: &str) -> Token {
    Token::bearer(text).unwrap()
}

/// Callers of each kind, which return the token that they got.
struct Callers {
    requests: Vec<JoinHandle<Result<String, BoxError>>>,
    handles: Vec<JoinHandle<Result<String, Error>>>,
}

impl Callers {
    /// Starts five requests, and a caller of each method of the handle.
    async fn start(layer: &OAuth2Layer<impl Grant>) -> Self {
        let api = service_fn(async |request: http::Request<Body>| {
            Ok::<_, Infallible>(Response::new(authorization(&request).unwrap().to_owned()))
        });
        let service = layer.layer(api);
        let send = || {
            let sent = service.clone().oneshot(get(API_URL));
            tokio::spawn(async move { Ok(sent.await?.into_body()) })
        };
        let requests = (0..5).map(|_| send()).collect();
        let tokens = layer.tokens();
        pass(Duration::from_millis(1)).await;
        let handles = vec![
            tokio::spawn(got(tokens.clone())),
            tokio::spawn(refreshed(tokens.clone())),
            tokio::spawn(authorized(tokens.clone())),
        ];
        pass(Duration::from_millis(1)).await;
        Self { requests, handles }
    }

    /// Asserts that all callers get this token at once.
    async fn all_have(self, access_token: &str) {
        let began = tokio::time::Instant::now();
        for request in self.requests {
            assert_eq!(in_time(request).await.unwrap(), format!("Bearer {access_token}"));
        }
        for handle in self.handles {
            assert_eq!(in_time(handle).await.unwrap(), access_token);
        }
        assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
    }

    fn none_has_ended(&self) {
        assert!(self.requests.iter().all(|caller| !caller.is_finished()));
        assert!(self.handles.iter().all(|caller| !caller.is_finished()));
    }
}

/// Fails the test if the caller waits without end.
async fn in_time<T>(caller: JoinHandle<T>) -> T {
    tokio::time::timeout(Duration::from_secs(3600), caller).await.expect("the caller waits without end").unwrap()
}

async fn got(tokens: Tokens) -> Result<String, Error> {
    Ok(tokens.get().await?.access_token().to_owned())
}

async fn refreshed(tokens: Tokens) -> Result<String, Error> {
    Ok(tokens.refresh().await?.access_token().to_owned())
}

async fn authorized(tokens: Tokens) -> Result<String, Error> {
    let mut request = get(API_URL);
    assert!(tokens.authorize(&mut request).await?);
    Ok(authorization(&request).unwrap().trim_start_matches("Bearer ").to_owned())
}

#[tokio::test(start_paused = true)]
async fn all_waiters_of_a_login_continue_with_a_token_that_is_set() {
    let (grant, calls) = unfinished_login(1);
    let layer = OAuth2Layer::new(grant);
    let callers = Callers::start(&layer).await;
    layer.tokens().set(bearer("set"));
    callers.all_have("set").await;
    assert_eq!(*calls.lock().unwrap(), [None]);
}

#[tokio::test(start_paused = true)]
async fn all_waiters_obtain_a_first_token_after_forget() {
    let (grant, calls) = unfinished_login(1);
    let layer = OAuth2Layer::new(grant);
    layer.tokens().set(bearer("old").with_expires_in(Duration::ZERO).with_refresh_token("r"));
    let callers = Callers::start(&layer).await;
    layer.tokens().forget();
    callers.all_have("next").await;
    assert_eq!(*calls.lock().unwrap(), [Some("old".into()), None], "one new attempt, without the forgotten token");
}

/// Superseded attempts do not affect later ones.
#[tokio::test(start_paused = true)]
async fn forget_twice_and_then_set() {
    let (grant, calls) = unfinished_login(usize::MAX);
    let layer = OAuth2Layer::new(grant);
    let callers = Callers::start(&layer).await;
    for attempts in 2..=3 {
        layer.tokens().forget();
        pass(Duration::from_millis(1)).await;
        assert_eq!(calls.lock().unwrap().len(), attempts);
        callers.none_has_ended();
    }
    layer.tokens().set(bearer("set"));
    callers.all_have("set").await;
}

#[tokio::test(start_paused = true)]
async fn set_twice_the_last_one_is_sent() {
    let (grant, _) = unfinished_login(usize::MAX);
    let layer = OAuth2Layer::new(grant);
    let callers = Callers::start(&layer).await;
    layer.tokens().set(bearer("first"));
    layer.tokens().set(bearer("last"));
    callers.all_have("last").await;
}

/// Calls that do not end the refresh do not end the wait.
#[tokio::test(start_paused = true)]
async fn invalidate_and_reject_do_not_end_the_wait() {
    let (grant, calls) = unfinished_login(1);
    let layer = OAuth2Layer::new(grant);
    let old = bearer("old").with_expires_in(Duration::ZERO);
    layer.tokens().set(old.clone());
    let callers = Callers::start(&layer).await;
    for _ in 0..2 {
        layer.tokens().invalidate();
        layer.tokens().reject(&old);
        layer.tokens().reject(&bearer("another's"));
    }
    pass(Duration::from_secs(10)).await;
    callers.none_has_ended();
    assert_eq!(calls.lock().unwrap().len(), 1);
    layer.tokens().set(bearer("set"));
    callers.all_have("set").await;
}

/// The same as with an expired token of a refresh: waiters do not loop, and the next caller needs another token.
#[tokio::test(start_paused = true)]
async fn an_expired_token_that_is_set_is_used_once_by_its_waiters() {
    let (grant, calls) = unfinished_login(1);
    let layer = OAuth2Layer::new(grant);
    let callers = Callers::start(&layer).await;
    layer.tokens().set(bearer("expired").with_expires_in(Duration::ZERO));
    callers.all_have("expired").await;
    assert_eq!(layer.tokens().get().await.unwrap_err().kind(), ErrorKind::NoTransport, "its service was dropped");
    assert_eq!(calls.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn waiters_do_not_need_the_layer_or_its_other_services() {
    let (grant, _) = unfinished_login(usize::MAX);
    let layer = OAuth2Layer::new(grant);
    let (callers, tokens) = (Callers::start(&layer).await, layer.tokens());
    drop(layer);
    pass(Duration::from_millis(1)).await;
    callers.none_has_ended();
    tokens.set(bearer("set"));
    callers.all_have("set").await;
}

/// A waiter that is polled long after the change gets the newest token.
#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_polled_late_gets_the_newest_token() {
    let (service, mut server) = mock_service(&layer());
    let mut late = tokio_test::task::spawn(service.clone().oneshot(get(API_URL)));
    assert!(late.poll().is_pending());
    server.issue_token(token("a", 60)).await;
    pass(Duration::from_secs(3600)).await;
    service.tokens().set(bearer("b"));
    let late = tokio::spawn(late.into_inner());
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    late.await.unwrap().unwrap();
}

/// After the wait, `call` attaches the awaited token without another refresh.
#[tokio::test(start_paused = true)]
async fn the_awaited_token_is_attached_without_another_refresh() {
    let (service, mut server) = mock_service(&layer());
    let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(service.clone().oneshot(get(API_URL)))).collect();
    // The token has expired when it arrives, so another lookup would start another refresh.
    server.issue_token(token("a", 0)).await;
    for sent in waiting {
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
        sent.await.unwrap().unwrap();
    }
    server.assert_no_request().await;
}

/// An error is returned only to the waiters of its refresh.
#[tokio::test(start_paused = true)]
async fn the_error_of_a_superseded_refresh_is_not_returned() {
    let (service, mut server) = mock_service(&layer());
    let send = |service: &Service| tokio::spawn(service.clone().oneshot(get(API_URL)));
    let one = send(&service);
    let (_, respond) = server.token_request().await;
    service.tokens().forget();
    let (_, respond_again) = server.token_request().await;
    respond.send_response(answer(400, r#"{"error": "invalid_client"}"#));
    pass(Duration::from_millis(1)).await;
    assert!(!one.is_finished());
    respond_again.send_response(answer(200, token("b", 3600)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer b"));
    one.await.unwrap().unwrap();
}

/// Callers wait while another thread sets and forgets tokens. No caller waits without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_caller_waits_without_end_during_changes_of_other_threads() {
    let obtained = Arc::new(AtomicUsize::new(0));
    let counter = obtained.clone();
    let layer = OAuth2Layer::new(grant_fn(move |_: Context| {
        let counter = counter.clone();
        async move {
            tokio::task::yield_now().await;
            Token::bearer(format!("t{}", counter.fetch_add(1, Ordering::SeqCst)))
        }
    }));
    let api = service_fn(async |_: http::Request<Body>| Ok::<_, Infallible>(answer(200, "")));
    let (service, tokens) = (layer.layer(api), layer.tokens());
    let changer = tokio::spawn(async move {
        for round in 0..500 {
            match round % 4 {
                0 => tokens.set(bearer("set")),
                1 => tokens.invalidate(),
                2 => tokens.forget(),
                _ => drop(tokens.refresh().await),
            }
            tokio::task::yield_now().await;
        }
    });
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move {
                for _ in 0..200 {
                    let sent = service.clone().oneshot(get(API_URL)).await;
                    assert_eq!(sent.map_err(ours).unwrap().status(), 200);
                }
            })
        })
        .collect();
    let all = async {
        for caller in callers {
            caller.await.unwrap();
        }
        changer.await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("a caller waits without end");
}
