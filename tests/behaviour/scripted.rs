//! `ScriptedGrant`, as tests of other crates use it.

use std::time::{Duration, SystemTime};

use http::{Response, StatusCode};
use tokio::time::{Instant, timeout};
use tower::ServiceExt;
use tower_oauth2::grant::Reason;
use tower_oauth2::test_util::{ScriptedError, ScriptedGrant};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use crate::support::{API_URL, Body, get, mock_service, ours, pass};

const HOUR: Duration = Duration::from_secs(3600);

fn token(text: &str) -> Token {
    Token::bearer(text).unwrap()
}

/// Returns a handle without a network.
fn tokens(script: &ScriptedGrant) -> Tokens {
    let no_network = tower::service_fn(async |_: http::Request<Body>| Err::<Response<Body>, _>("no network"));
    OAuth2Layer::new(script.clone()).token_service(no_network).tokens()
}

async fn wait_for_calls(script: &ScriptedGrant, count: usize) {
    timeout(24 * HOUR, script.wait_for_calls(count)).await.expect("the grant is not called");
}

#[tokio::test(start_paused = true)]
async fn outcomes_are_returned_in_order_and_calls_are_recorded() {
    let script = ScriptedGrant::new().token(token("a").with_expires_in(HOUR)).token(token("b")).token(token("c"));
    let tokens = tokens(&script);
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    // Due, and not yet expired: the old token is returned and refreshed in the background.
    pass(HOUR - Duration::from_secs(100)).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    wait_for_calls(&script, 2).await;
    pass(Duration::from_millis(1)).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "b");
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "c");

    let calls = script.calls();
    let previous: Vec<_> = calls.iter().map(|call| call.previous().map(Token::access_token)).collect();
    assert_eq!(previous, [None, Some("a"), Some("b")]);
    let reasons: Vec<_> = calls.iter().map(|call| call.reason()).collect();
    assert_eq!(reasons, [Reason::Missing, Reason::Proactive, Reason::Forced]);
    assert_eq!(script.remaining(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_after_the_end_of_the_script_is_an_error_and_the_script_can_be_continued() {
    let script = ScriptedGrant::new().token(token("a"));
    let tokens = tokens(&script);
    tokens.get().await.unwrap();
    let error = tokens.refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("the script of this `ScriptedGrant` has ended"), "{error}");
    assert!(error.to_string().contains("no outcome for call 2"), "{error}");
    assert_eq!(script.calls().len(), 2);

    script.clone().token(token("b"));
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "b");
}

/// A held outcome delays every caller that waits for the token.
#[tokio::test(start_paused = true)]
async fn a_held_outcome_waits_for_its_release() {
    let script = ScriptedGrant::new().held().token(token("a"));
    let tokens = tokens(&script);
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.get().await })
        })
        .collect();
    wait_for_calls(&script, 1).await;
    pass(24 * HOUR).await;
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
    script.release();
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap().access_token(), "a");
    }
    assert_eq!(script.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_release_counts_for_one_outcome_and_may_precede_the_call() {
    let script = ScriptedGrant::new().held().token(token("a")).held().token(token("b")).token(token("c"));
    let tokens = tokens(&script);
    script.release();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    timeout(HOUR, tokens.refresh()).await.expect_err("the outcome is held");
    script.release();
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "b", "joins the held refresh");
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "c", "the outcome is not held");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_can_be_delayed() {
    let script = ScriptedGrant::new().delayed(Duration::from_secs(5)).fail(ErrorKind::Timeout).token(token("a"));
    let tokens = tokens(&script);
    let began = Instant::now();
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    tokens.refresh().await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(5), "only the first outcome is delayed");
}

/// The layer handles a scripted error like any other.
#[tokio::test(start_paused = true)]
async fn a_scripted_error_has_its_details_and_the_layer_obeys_them() {
    let busy = ScriptedError::new(ErrorKind::Overloaded)
        .status(StatusCode::TOO_MANY_REQUESTS)
        .retry_after(Duration::from_secs(77))
        .oauth("temporarily_unavailable", None)
        .source("a cause");
    let script = ScriptedGrant::new().fail(busy).token(token("a"));
    let (service, mut server) = mock_service(&OAuth2Layer::new(script.clone()));
    let outcome = timeout(HOUR, service.clone().oneshot(get(API_URL))).await.expect("the request does not end");
    let error = ours(outcome.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert_eq!(error.status(), Some(StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(error.oauth().unwrap().error(), "temporarily_unavailable");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "a cause");
    let wait = error.retry_at().unwrap().duration_since(SystemTime::now()).unwrap();
    assert!((76..=77).contains(&wait.as_secs()), "{wait:?}");

    pass(Duration::from_secs(76)).await;
    ours(service.clone().oneshot(get(API_URL)).await.unwrap_err());
    assert_eq!(script.calls().len(), 1, "no call before Retry-After has passed");
    pass(Duration::from_secs(2)).await;
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn tokens_of_a_script_are_not_printed() {
    let script =
        ScriptedGrant::new().token(token("hunter2-a").with_refresh_token("hunter2-r")).token(token("hunter2-b"));
    let tokens = tokens(&script);
    tokens.get().await.unwrap();
    let text = format!("{script:?}");
    tokens.refresh().await.unwrap();
    let text = format!("{text} {script:?} {:?} {:#?}", script.calls(), script.calls());
    assert!(text.contains("previous: Some") && !text.contains("hunter2"), "{text}");
}

#[test]
fn retry_after_of_a_scripted_error_is_at_most_an_hour() {
    let error = Error::from(ScriptedError::from(ErrorKind::Overloaded).retry_after(24 * HOUR));
    assert_eq!(error.retry_after(), Some(HOUR));
}

#[tokio::test(start_paused = true)]
async fn a_script_with_a_key_returns_bound_tokens() {
    use tower_oauth2::dpop::Dpop;
    use tower_oauth2::jwt::{Algorithm, Draft, signer_fn};

    let jwk = r#"{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}"#;
    let signer = signer_fn(async |draft: Draft| Ok(draft.header(Algorithm::Es256, None)?.signed(&[7; 64])));
    let script = ScriptedGrant::new().token(Token::dpop("a").unwrap());
    let script = script.dpop(Dpop::signed_by(jwk, Algorithm::Es256, signer).unwrap());
    let mut request = get(API_URL);
    assert!(tokens(&script).authorize(&mut request).await.unwrap());
    assert_eq!(request.headers()["authorization"], "DPoP a");
    assert!(request.headers().contains_key("dpop"));
}
