//! `Tokens::refresh` calls the grant once, and again only if it had joined a refresh that was not allowed to start a login.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_oauth2::grant::{Context, Reason, grant_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{pass, spawn_refresh, token_endpoint};

type Reasons = Arc<Mutex<Vec<Reason>>>;

/// A grant that takes a second, and then fails with `LoginRequired`, or succeeds for `Reason::Forced` if `succeeds_if_forced`.
fn needs_login(succeeds_if_forced: bool) -> (Tokens, Reasons) {
    let reasons = Reasons::default();
    let seen = reasons.clone();
    let grant = grant_fn(move |cx: Context| {
        let reason = cx.reason();
        seen.lock().unwrap().push(reason);
        async move {
            pass(Duration::from_secs(1)).await;
            if succeeds_if_forced && reason == Reason::Forced {
                return Token::bearer("logged-in");
            }
            Err(Error::caused_by(ErrorKind::LoginRequired, "not now"))
        }
    });
    (OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0).tokens(), reasons)
}

/// Starts a refresh as a request does.
async fn start_by_request(tokens: &Tokens) {
    drop(tokio::spawn({
        let tokens = tokens.clone();
        async move { tokens.get().await }
    }));
    pass(Duration::from_millis(500)).await;
}

#[tokio::test(start_paused = true)]
async fn the_grant_is_called_once_for_its_own_refresh() {
    let (tokens, reasons) = needs_login(false);
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    assert_eq!(*reasons.lock().unwrap(), [Reason::Forced]);
}

#[tokio::test(start_paused = true)]
async fn the_grant_is_called_twice_after_joining_a_refresh_of_a_request() {
    let (tokens, reasons) = needs_login(true);
    start_by_request(&tokens).await;
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "logged-in");
    assert_eq!(*reasons.lock().unwrap(), [Reason::Missing, Reason::Forced]);
}

#[tokio::test(start_paused = true)]
async fn the_grant_is_not_called_three_times() {
    let (tokens, reasons) = needs_login(false);
    start_by_request(&tokens).await;
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    assert_eq!(*reasons.lock().unwrap(), [Reason::Missing, Reason::Forced]);
}

/// All callers share the joined refresh and the one after it.
#[tokio::test(start_paused = true)]
async fn several_callers_share_the_second_refresh() {
    for succeeds in [true, false] {
        let (tokens, reasons) = needs_login(succeeds);
        start_by_request(&tokens).await;
        let all: Vec<_> = (0..5).map(|_| spawn_refresh(&tokens)).collect();
        for refresh in all {
            assert_eq!(refresh.await.unwrap().is_ok(), succeeds);
        }
        assert_eq!(*reasons.lock().unwrap(), [Reason::Missing, Reason::Forced]);
    }
}

/// Joining a forced refresh is equivalent to starting one.
#[tokio::test(start_paused = true)]
async fn the_grant_is_called_once_after_joining_a_forced_refresh() {
    let (tokens, reasons) = needs_login(false);
    let all: Vec<_> = (0..5).map(|_| spawn_refresh(&tokens)).collect();
    for refresh in all {
        assert_eq!(refresh.await.unwrap().unwrap_err().kind(), ErrorKind::LoginRequired);
    }
    assert_eq!(*reasons.lock().unwrap(), [Reason::Forced]);
}

/// Other errors of the joined refresh are returned.
#[tokio::test(start_paused = true)]
async fn other_errors_are_shared() {
    let calls = Arc::new(Mutex::new(0));
    let counter = calls.clone();
    let grant = grant_fn(move |_: Context| {
        *counter.lock().unwrap() += 1;
        async move {
            pass(Duration::from_secs(1)).await;
            Err(Error::caused_by(ErrorKind::Overloaded, "down"))
        }
    });
    let tokens = OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0).tokens();
    start_by_request(&tokens).await;
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::Overloaded);
    assert_eq!(*calls.lock().unwrap(), 1);
}
