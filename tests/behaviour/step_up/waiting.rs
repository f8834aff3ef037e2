//! S6, S7, S8: requests while a person logs in, and what the application does meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::Semaphore;
use tower::limit::ConcurrencyLimitLayer;
use tower::retry::{Retry, RetryLayer};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::grant::{BoxGrant, Context, Grant, Reason, grant_fn};
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::{Error, ErrorKind, OAuth2, OAuth2Layer, Token, Tokens};

use super::{Sent, needs_scope};
use crate::support::{Body, answer, authorization, get, ours, pass};

type Http = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// An API whose path `/admin` needs the token `admin`, and a login that the test ends. A refresh for another reason succeeds at once.
struct World {
    service: Option<Retry<RetryUnauthorized, OAuth2<Http, BoxGrant>>>,
    tokens: Tokens,
    logins: Arc<AtomicUsize>,
    refreshes: Arc<AtomicUsize>,
    /// A permit ends one login: with success, unless `denied` has one too.
    ended: Arc<Semaphore>,
    denied: Arc<AtomicUsize>,
}

fn world() -> World {
    let [logins, refreshes, denied] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
    let ended = Arc::new(Semaphore::new(0));
    let grant = {
        let (logins, refreshes, denied, ended) = (logins.clone(), refreshes.clone(), denied.clone(), ended.clone());
        grant_fn(move |cx: Context| {
            let (logins, refreshes, denied, ended) = (logins.clone(), refreshes.clone(), denied.clone(), ended.clone());
            async move {
                if cx.reason() != Reason::Challenged {
                    return Token::bearer(format!("refreshed-{}", refreshes.fetch_add(1, SeqCst)));
                }
                logins.fetch_add(1, SeqCst);
                ended.acquire().await.unwrap().forget();
                match denied.load(SeqCst) {
                    0 => Token::bearer("admin"),
                    _ => Err(Error::caused_by(ErrorKind::Denied, "")),
                }
            }
        })
    };
    let api = service_fn(async |request: Request<Body>| {
        let may_pass = request.uri().path() != "/admin" || authorization(&request) == Some("Bearer admin");
        Ok::<_, BoxError>(if may_pass { answer(200, "") } else { needs_scope("admin") })
    });
    // One permit is all there is.
    let api = BoxCloneSyncService::new(ConcurrencyLimitLayer::new(1).layer(api));
    let layer = OAuth2Layer::new(grant.boxed()).step_up();
    let tokens = layer.tokens();
    tokens.set(Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(300)));
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(layer.layer(api));
    World { service: Some(service), tokens, logins, refreshes, ended, denied }
}

impl World {
    fn send(&self, path: &str) -> Sent {
        let service = self.service.clone().unwrap();
        let request = get(&format!("https://api.example.com{path}"));
        tokio::spawn(service.oneshot(request))
    }

    /// Sends a request for the admin, and waits until the login has begun.
    async fn challenged(&self) -> Sent {
        let sent = self.send("/admin");
        settle().await;
        assert_eq!((self.logins.load(SeqCst), sent.is_finished()), (1, false));
        sent
    }

    fn end_login(&self, is_denied: bool) {
        self.denied.store(is_denied.into(), SeqCst);
        self.ended.add_permits(1);
    }

    async fn passes(&self) {
        let response = self.send("/things").await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
    }
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn status(sent: Sent) -> u16 {
    let sent = tokio::time::timeout(Duration::from_secs(7200), sent);
    sent.await.expect("no end").unwrap().unwrap().status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn s6_a_thousand_requests_pass_and_the_challenged_one_holds_no_permit() {
    let world = world();
    let sent = world.challenged().await;
    for _ in 0..1000 {
        world.passes().await;
    }
    let others: Vec<_> = (0..10).map(|_| world.send("/admin")).collect();
    settle().await;
    assert!(!sent.is_finished() && others.iter().all(|other| !other.is_finished()));
    world.passes().await;
    world.end_login(false);
    assert_eq!(status(sent).await, 200);
    for other in others {
        assert_eq!(status(other).await, 200);
    }
    assert_eq!(world.logins.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn s7_a_token_that_is_set_may_satisfy_the_challenge() {
    let world = world();
    let sent = world.challenged().await;
    world.tokens.set(Token::bearer("admin").unwrap());
    assert_eq!(status(sent).await, 200);
    assert_eq!(world.logins.load(SeqCst), 1);
}

/// The second repetition waits for a new login.
#[tokio::test(start_paused = true)]
async fn s7_a_token_that_is_set_may_be_challenged_again() {
    let world = world();
    let sent = world.challenged().await;
    world.tokens.set(Token::bearer("b").unwrap());
    settle().await;
    assert_eq!((world.logins.load(SeqCst), sent.is_finished()), (2, false));
    // The login that `set` has superseded ends first. Its token has no effect.
    world.end_login(false);
    settle().await;
    assert_eq!(world.tokens.peek().unwrap().access_token(), "b");
    world.end_login(false);
    assert_eq!(status(sent).await, 200);
}

#[tokio::test(start_paused = true)]
async fn s7_after_forget_the_challenged_request_starts_over() {
    let world = world();
    let sent = world.challenged().await;
    world.tokens.forget();
    // A first token, which is challenged again.
    settle().await;
    assert_eq!((world.refreshes.load(SeqCst), world.logins.load(SeqCst), sent.is_finished()), (1, 2, false));
    world.end_login(false);
    world.end_login(false);
    assert_eq!(status(sent).await, 200);
}

#[tokio::test(start_paused = true)]
async fn s7_after_invalidate_requests_wait_for_the_login() {
    let world = world();
    let sent = world.challenged().await;
    world.tokens.invalidate();
    let other = world.send("/things");
    settle().await;
    assert!(!other.is_finished());
    world.end_login(false);
    assert_eq!((status(sent).await, status(other).await), (200, 200));
    assert_eq!(world.refreshes.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn s7_the_login_continues_for_the_handle_if_all_services_are_dropped() {
    let mut world = world();
    let sent = world.challenged().await;
    sent.abort();
    assert!(sent.await.is_err());
    world.service = None;
    settle().await;
    world.end_login(false);
    settle().await;
    assert_eq!(world.tokens.peek().unwrap().access_token(), "admin");
    assert_eq!(world.logins.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn s8_a_denied_login_is_the_error_of_the_challenged_request_and_others_notice_nothing() {
    let world = world();
    let sent = world.challenged().await;
    world.end_login(true);
    assert_eq!(ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::Denied);
    world.passes().await;
    assert_eq!(world.tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(status(world.send("/admin")).await, 403, "the next challenge passes");
    assert_eq!((world.logins.load(SeqCst), world.refreshes.load(SeqCst)), (1, 0));
}

/// The token expires, or is invalidated, while a person logs in. The requests that wait get a refreshed token, and not the error of the login.
#[tokio::test(start_paused = true)]
async fn s8_a_token_that_has_ended_during_the_denied_login_is_refreshed_without_a_login() {
    for is_expired in [true, false] {
        let world = world();
        let sent = world.challenged().await;
        if is_expired {
            pass(Duration::from_secs(301)).await
        } else {
            world.tokens.invalidate()
        }
        let others: Vec<_> = (0..10).map(|_| world.send("/things")).collect();
        let tokens = world.tokens.clone();
        let getting = tokio::spawn(async move { tokens.get().await });
        settle().await;
        assert!(others.iter().all(|other| !other.is_finished()) && !getting.is_finished());
        world.end_login(true);
        for other in others {
            assert_eq!(status(other).await, 200, "{is_expired}");
        }
        assert_eq!(getting.await.unwrap().unwrap().access_token(), "refreshed-0");
        let challenged = sent.await.unwrap().map_err(|error| ours(error).kind());
        assert_eq!(challenged.map(|response| response.status().as_u16()), Err(ErrorKind::Denied));
        assert_eq!((world.logins.load(SeqCst), world.refreshes.load(SeqCst)), (1, 1));
    }
}
