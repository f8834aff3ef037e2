//! Servers that demand without end.

use std::time::Duration;

use super::{layer, respond, send, status, unauthorized, with_challenge};
use crate::support::{TOKEN_URL, answer, ours, pass, token};

/// The numbers of requests to the API and to the token endpoint, and the outcome, if the API sends these responses and then the last one
/// again.
async fn traffic(
    layer: &tower_oauth2::OAuth2Layer<tower_oauth2::grant::ClientCredentials>,
    responses: &[(u16, &str)],
) -> (usize, usize, Result<u16, tower_oauth2::ErrorKind>) {
    let (sent, mut server) = send(layer);
    let (mut to_api, mut to_auth) = (0, 0);
    loop {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        if sent.is_finished() {
            let outcome = sent.await.unwrap();
            let outcome = outcome.map(|response| response.status().as_u16()).map_err(|error| ours(error).kind());
            return (to_api, to_auth, outcome);
        }
        let (request, respond) = server.next().await;
        if request.uri() == TOKEN_URL {
            to_auth += 1;
            respond.send_response(answer(200, token(&format!("token-{to_auth}"), 3600)));
        } else {
            let (status, challenge) = responses[to_api.min(responses.len() - 1)];
            to_api += 1;
            respond.send_response(with_challenge(status, challenge));
        }
        assert!(to_api + to_auth < 20, "a loop");
    }
}

const NEEDS_WRITE: &str = r#"Bearer error="insufficient_scope", scope="write""#;

#[tokio::test(start_paused = true)]
async fn a_401_to_everything_is_returned_after_a_first_and_a_second_token() {
    for step_up in [false, true] {
        for challenge in ["", "Bearer", "Bearer scope=\"read\"", "Bearer error=\"invalid_token\""] {
            let layer = if step_up { layer().step_up() } else { layer() };
            // Without a token, with the first one, and with the one that replaces it.
            assert_eq!(traffic(&layer, &[(401, challenge)]).await, (3, 2, Ok(401)), "{challenge}");
            // The next refresh waits for the back-off.
            assert_eq!(traffic(&layer, &[(401, challenge)]).await, (1, 0, Ok(401)), "{challenge}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_token_and_then_more_scope_for_it() {
    let (without, with) = (layer(), layer().step_up());
    let responses = [(401, "Bearer scope=\"read\""), (403, NEEDS_WRITE), (200, "")];
    assert_eq!(traffic(&with, &responses).await, (3, 2, Ok(200)));
    assert_eq!(traffic(&without, &responses).await, (2, 1, Ok(403)), "`step_up` is not set");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_not_repeated_for_a_second_scope() {
    let layer = layer().step_up();
    let other = r#"Bearer error="insufficient_scope", scope="admin""#;
    let responses = [(401, "Bearer"), (403, NEEDS_WRITE), (403, other)];
    let (to_api, to_auth, outcome) = traffic(&layer, &responses).await;
    assert_eq!((to_api, outcome), (3, Ok(403)));
    assert!(to_auth <= 3, "{to_auth}");
}

/// A request with the scope that the first challenge has named already is not challenged for it a second time.
#[tokio::test(start_paused = true)]
async fn the_scope_of_the_first_challenge_counts_as_requested() {
    let layer = layer().step_up();
    let responses = [(401, "Bearer scope=\"write\""), (403, NEEDS_WRITE)];
    assert_eq!(traffic(&layer, &responses).await, (2, 1, Ok(403)));
}

#[tokio::test(start_paused = true)]
async fn requests_in_a_row_to_an_api_that_rejects_everything_cause_few_token_requests() {
    let layer = layer().step_up();
    let mut total = 0;
    for _ in 0..200 {
        total += traffic(&layer, &[(401, "Bearer scope=\"read\"")]).await.1;
        pass(Duration::from_secs(1)).await;
    }
    assert!(total <= 15, "{total}");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_expired_when_it_arrives_is_sent_once() {
    let layer = layer();
    let (sent, mut server) = send(&layer);
    respond(&mut server, unauthorized("Bearer")).await;
    server.issue_token(token("a", 0)).await;
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer a"));
    assert_eq!(status(sent).await, 200);
    // From now on, a request waits for the next token as without the option.
    let (sent, mut server) = send(&layer);
    server.issue_token(token("b", 3600)).await;
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), Some("Bearer b"));
    assert_eq!(status(sent).await, 200);
}
