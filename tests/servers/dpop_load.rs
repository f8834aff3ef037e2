//! Many requests at once, at APIs whose nonces change or are good for one request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use crate::dpop_service::{Api, Outcome, credentials, new_key};
use crate::oidc_provider;

const CALLERS: usize = 16;

/// Several nonces and tokens expire in this time.
const DURATION: Duration = Duration::from_secs(6);

/// The nonce of the API changes each second, and a token expires after two. None of the requests fails, and none is sent more than
/// three times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_nonces_and_tokens_change() {
    let Some(server) = oidc_provider::server().await else { return };
    let api = Api::new(credentials(&server, "cc-dpop-short", &new_key()));
    let url: Arc<str> = server.get("API").replace("/echo", "/echo-rotating").into();
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (api, url) = (api.clone(), url.clone());
        callers.spawn(async move {
            let (mut requests, mut repeated) = (0_u64, 0_u64);
            while start.elapsed() < DURATION {
                let body = format!("{caller} {requests}");
                let outcome = api.send(Method::POST, &url, &body).await;
                assert_eq!((outcome.status, &outcome.echo["body"]), (StatusCode::OK, &json!(body)), "{outcome:?}");
                assert!(outcome.sends <= 3, "{outcome:?}");
                requests += 1;
                repeated += outcome.sends as u64 - 1;
            }
            (requests, repeated)
        });
    }
    let (mut requests, mut repeated) = (0, 0);
    while let Some(caller) = callers.join_next().await {
        let (sent, again) = caller.unwrap();
        (requests, repeated) = (requests + sent, repeated + again);
    }
    let counts = server.counts().await;
    let count = |group: &str, name: &str| counts[group][name].as_u64().unwrap_or(0);
    assert_eq!((count("api", "200"), count("api", "401")), (requests, repeated), "{counts}");
    assert_eq!(count("api_errors", "invalid_dpop_proof"), 0, "{counts}");
    assert!(count("api_errors", "use_dpop_nonce") >= 2, "the nonce has changed: {counts}");
    assert!((3..=6).contains(&count("token", "client_credentials")), "{counts}");
}

/// The requests of a round are signed with the same nonce or with none, so all but one are repeated, each with the nonce of its own
/// response.
#[tokio::test]
async fn requests_at_once_do_not_take_each_others_nonces() {
    const REQUESTS: usize = 100;
    let Some(server) = oidc_provider::server().await else { return };
    let api = Api::with_rounds_of(REQUESTS, credentials(&server, "cc-dpop-nonce", &new_key()));
    let url: Arc<str> = format!("{}-nonce", server.get("API")).into();
    api.tokens.get().await.unwrap();
    for round in 0..3 {
        let mut sent = JoinSet::new();
        for _ in 0..REQUESTS {
            let (api, url) = (api.clone(), url.clone());
            sent.spawn(async move { api.send(Method::POST, &url, "body").await });
        }
        let outcomes: Vec<Outcome> = sent.join_all().await;
        let total: usize = outcomes.iter().map(|outcome| outcome.sends).sum();
        assert!(outcomes.iter().all(|outcome| outcome.status == StatusCode::OK && outcome.sends <= 2), "{outcomes:?}");
        // The last response of the round before has given one nonce.
        assert_eq!(total, 2 * REQUESTS - usize::from(round > 0));
    }
    let counts = server.counts().await;
    assert_eq!(counts["api"], json!({"200": 3 * REQUESTS, "401": 3 * REQUESTS - 2}), "{counts}");
}
