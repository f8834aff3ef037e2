//! `Tokens::keep_fresh` refreshes a token without requests, according to the options, and never in a tight loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tower_oauth2::grant::{Context, Reason, grant_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{pass, token_endpoint};

const SECOND: Duration = Duration::from_secs(1);

/// Returns a handle whose grant calls `obtain`, and the number of calls.
fn counted(
    obtain: impl Fn(Context) -> Result<Token, Error> + Send + Sync + 'static,
    configure: impl FnOnce(OAuth2Layer<tower_oauth2::grant::BoxGrant>) -> OAuth2Layer<tower_oauth2::grant::BoxGrant>,
) -> (Tokens, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let grant = grant_fn(move |cx: Context| {
        let outcome = obtain(cx);
        // Ends a tight loop, so that time advances and the test fails.
        let is_enough = counter.fetch_add(1, Ordering::SeqCst) > 10_000;
        async move { if is_enough { std::future::pending().await } else { outcome } }
    });
    let layer = configure(OAuth2Layer::new(grant).boxed());
    (layer.token_service(token_endpoint(vec![]).0).tokens(), calls)
}

fn lasting(lifetime: Duration) -> Token {
    Token::bearer("a").unwrap().with_expires_in(lifetime)
}

/// Returns the number of calls of the grant during this time, while the token is kept fresh.
async fn kept(tokens: &Tokens, calls: &AtomicUsize, time: Duration) -> usize {
    let before = calls.load(Ordering::SeqCst);
    let keep_fresh = tokio::spawn(tokens.keep_fresh());
    pass(time).await;
    assert!(!keep_fresh.is_finished());
    keep_fresh.abort();
    calls.load(Ordering::SeqCst) - before
}

#[tokio::test(start_paused = true)]
async fn it_refreshes_before_the_expiry_without_requests() {
    let (tokens, calls) = counted(
        |cx| {
            assert_eq!(cx.reason(), Reason::Proactive);
            Ok(lasting(3600 * SECOND))
        },
        |layer| layer,
    );
    tokens.set(lasting(3600 * SECOND));
    assert_eq!(kept(&tokens, &calls, 3299 * SECOND).await, 0);
    // Every 55 to 56 minutes, and the first one at once.
    assert!((10..=11).contains(&kept(&tokens, &calls, 10 * 3600 * SECOND).await));
    assert!(!tokens.peek().unwrap().is_expired(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn it_obtains_no_first_token() {
    let (tokens, calls) = counted(|_| Token::bearer("a"), |layer| layer);
    assert_eq!(kept(&tokens, &calls, 3600 * SECOND).await, 0);
    tokens.set(lasting(3600 * SECOND));
    tokens.forget();
    assert_eq!(kept(&tokens, &calls, 2 * 3600 * SECOND).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_without_expiry_is_not_refreshed() {
    let (tokens, calls) = counted(|_| Token::bearer("a"), |layer| layer);
    tokens.set(Token::bearer("lasting").unwrap());
    assert_eq!(kept(&tokens, &calls, 1000 * 3600 * SECOND).await, 0);
    // It refreshes a token that is set meanwhile.
    let keep_fresh = tokio::spawn(tokens.keep_fresh());
    pass(SECOND).await;
    tokens.set(lasting(10 * SECOND));
    pass(10 * SECOND).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    keep_fresh.abort();
}

#[tokio::test(start_paused = true)]
async fn failures_wait_for_the_back_off() {
    let failing = |_| Err(Error::caused_by(ErrorKind::Overloaded, "down"));
    let (tokens, calls) = counted(failing, |layer| layer.backoff_jitter(0.0).unwrap());
    // At 1, 2.6, 5.2, … and then every two minutes, also after the token has expired.
    tokens.set(lasting(Duration::ZERO));
    let found = kept(&tokens, &calls, 3600 * SECOND).await;
    assert!((30..=45).contains(&found), "{found}");
}

/// With zero, the next *request* starts an attempt, and there is none.
#[tokio::test(start_paused = true)]
async fn a_back_off_of_zero_causes_no_tight_loop() {
    let failing = |_| Err(Error::caused_by(ErrorKind::Overloaded, "down"));
    let (tokens, calls) = counted(failing, |layer| layer.backoff(Duration::ZERO, Duration::ZERO).unwrap());
    tokens.set(lasting(Duration::ZERO));
    let found = kept(&tokens, &calls, 60 * SECOND).await;
    assert!((1..=60).contains(&found), "{found} in a minute");
}

/// If a login is required, none starts, and the grant is rarely called.
#[tokio::test(start_paused = true)]
async fn a_required_login_causes_no_tight_loop() {
    for (lifetime, invalidated) in [(Duration::ZERO, false), (3600 * SECOND, true), (3600 * SECOND, false)] {
        let required = |_| Err(Error::caused_by(ErrorKind::LoginRequired, "not now"));
        let (tokens, calls) = counted(required, |layer| layer);
        tokens.set(lasting(lifetime));
        if invalidated {
            tokens.invalidate();
        }
        let found = kept(&tokens, &calls, 2 * 3600 * SECOND).await;
        assert!((1..=130).contains(&found), "{found} in two hours");
        // A token that is set is refreshed again.
        tokens.set(lasting(10 * SECOND));
        let found = kept(&tokens, &calls, 10 * SECOND).await;
        assert!((1..=10).contains(&found), "{found}");
    }
}

/// The same if the store is not available.
#[tokio::test(start_paused = true)]
async fn an_unavailable_store_causes_no_tight_loop() {
    for lifetime in [Duration::ZERO, 100 * SECOND] {
        let unavailable = |_| Err(Error::caused_by(ErrorKind::Store, "the disk is full"));
        let (tokens, calls) = counted(unavailable, |layer| layer);
        tokens.set(lasting(lifetime));
        let found = kept(&tokens, &calls, 600 * SECOND).await;
        assert!((1..=600).contains(&found), "{found} in ten minutes");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_have_expired_when_they_arrive_cause_no_tight_loop() {
    let (tokens, calls) = counted(|_| Ok(lasting(Duration::ZERO)), |layer| layer);
    tokens.set(lasting(Duration::ZERO));
    let found = kept(&tokens, &calls, 60 * SECOND).await;
    assert!((1..=61).contains(&found), "{found} in a minute");
}

#[tokio::test(start_paused = true)]
async fn without_a_transport_it_waits() {
    let layer = OAuth2Layer::new(grant_fn(async |_: Context| Token::bearer("unused")));
    let tokens = layer.tokens();
    tokens.set(lasting(Duration::ZERO));
    let keep_fresh = tokio::spawn(tokens.keep_fresh());
    pass(3600 * SECOND).await;
    assert!(!keep_fresh.is_finished());
    keep_fresh.abort();
}

/// Several futures share the refreshes.
#[tokio::test(start_paused = true)]
async fn several_futures_make_one_refresh() {
    let (tokens, calls) = counted(|_| Ok(lasting(3600 * SECOND)), |layer| layer);
    tokens.set(lasting(3600 * SECOND));
    let all: Vec<_> = (0..5).map(|_| tokio::spawn(tokens.keep_fresh())).collect();
    pass(3400 * SECOND).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    for one in all {
        one.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_layer_is_dropped() {
    for token in [None, Some(Token::bearer("lasting").unwrap()), Some(lasting(3600 * SECOND)), Some(lasting(SECOND))] {
        let failing = |_| Err(Error::caused_by(ErrorKind::Overloaded, "down"));
        let (tokens, _) = counted(failing, |layer| layer);
        if let Some(token) = &token {
            tokens.set(token.clone());
        }
        let keep_fresh = tokio::spawn(tokens.keep_fresh());
        pass(2 * SECOND).await;
        assert!(!keep_fresh.is_finished());
        drop(tokens);
        tokio::time::timeout(61 * SECOND, keep_fresh).await.expect("it still waits").unwrap();
    }
    // Polled for the first time after the layer was dropped.
    let late = counted(|_| Token::bearer("a"), |layer| layer).0.keep_fresh();
    late.await;
}

/// Dropping it does not cancel the refresh that it has started.
#[tokio::test(start_paused = true)]
async fn a_refresh_continues_if_it_is_dropped() {
    let grant = grant_fn(async |_: Context| {
        pass(SECOND).await;
        Token::bearer("b")
    });
    let tokens = OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0).tokens();
    tokens.set(lasting(Duration::ZERO));
    let keep_fresh = tokio::spawn(tokens.keep_fresh());
    pass(SECOND / 2).await;
    keep_fresh.abort();
    pass(SECOND).await;
    assert_eq!(tokens.peek().unwrap().access_token(), "b");
}
