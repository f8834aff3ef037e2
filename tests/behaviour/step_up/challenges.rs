//! Which challenges count: the status, the scheme, the error, and their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;
use serde_json::json;
use tower_oauth2::{OAuth2Layer, Token};

use super::{Program, challenge, needs_scope};
use crate::support::{answer, grant, layer};

fn program() -> Program<tower_oauth2::grant::ClientCredentials> {
    Program::with_token(&layer().step_up(), Token::bearer("a").unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_scope_is_demanded_with_403_and_with_401() {
    for status in [403, 401] {
        for scheme in ["Bearer", "bearer", "DPoP", "dpop"] {
            let mut program = program();
            let header = format!(r#"{scheme} error="insufficient_scope", scope="write""#);
            let sent = program.challenged(challenge(status, &header)).await;
            assert_eq!(program.issue("b").await["scope"], "write", "{status} {scheme}");
            program.accept(sent, "b").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn other_responses_start_nothing() {
    for response in [
        answer(403, ""),
        answer(400, ""),
        challenge(403, "Bearer"),
        challenge(403, r#"Bearer error="invalid_token", scope="write""#),
        challenge(403, r#"Bearer error="insufficient_scope""#),
        challenge(403, r#"Bearer error="insufficient_scope", scope="""#),
        challenge(403, r#"Bearer error="insufficient_scope", scope="\"""#),
        challenge(403, r#"Basic error="insufficient_scope", scope="write""#),
        challenge(403, r#"Bearer error="insufficient_user_authentication", max_age=5"#),
        challenge(403, r#"Bearer error="insufficient_claims", claims="e30=""#),
        challenge(200, r#"Bearer error="insufficient_scope", scope="write""#),
        challenge(404, r#"Bearer error="insufficient_scope", scope="write""#),
        challenge(503, r#"Bearer error="insufficient_scope", scope="write""#),
        // Another token would not help, because the challenge does not say what it needs.
        challenge(401, r#"Bearer error="insufficient_scope""#),
        challenge(401, r#"Bearer error="insufficient_user_authentication""#),
        challenge(401, r#"Bearer error="insufficient_user_authentication", max_age=soon"#),
    ] {
        program().assert_passes(response).await;
    }
}

/// A program whose server says `insufficient_scope` for an expired token can still say so.
#[tokio::test(start_paused = true)]
async fn the_predicate_of_the_program_is_asked_about_a_403_that_demands_nothing() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let layer = layer().step_up().reject_when(move |status, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        status == StatusCode::FORBIDDEN
    });
    let mut program = Program::with_token(&layer, Token::bearer("a").unwrap());
    let sent = program.challenged(challenge(403, r#"Bearer error="insufficient_scope""#)).await;
    assert_eq!(program.issue("b").await.get("scope"), None);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    program.accept(sent, "b").await;
}

#[tokio::test(start_paused = true)]
async fn of_several_challenges_the_first_with_such_an_error_counts() {
    for (status, headers, scope) in [
        (403, &[r#"Basic realm="x", Bearer error="insufficient_scope", scope="write""#][..], "write"),
        (
            403,
            &[
                r#"Basic error="insufficient_scope", scope="basic""#,
                r#"Bearer error="insufficient_scope", scope="a b""#,
            ],
            "a b",
        ),
        (
            403,
            &[r#"Bearer error="insufficient_scope", scope="one""#, r#"DPoP error="insufficient_scope", scope="two""#],
            "one",
        ),
        (403, &[r#"Bearer realm="x""#, r#"DPoP algs="ES256", error="insufficient_scope", scope="two""#], "two"),
        (
            401,
            &[
                r#"Bearer error="insufficient_scope", scope="one", DPoP error="insufficient_user_authentication", max_age=5"#,
            ],
            "one",
        ),
    ] {
        let mut response = answer(status, "");
        for header in headers {
            response.headers_mut().append("www-authenticate", header.parse().unwrap());
        }
        let mut program = program();
        let sent = program.challenged(response).await;
        assert_eq!(program.issue("b").await["scope"], scope, "{headers:?}");
        program.accept(sent, "b").await;
    }
}

/// A token that is bound to a key is challenged with the scheme DPoP (RFC 9449 §7.1).
#[tokio::test(start_paused = true)]
async fn a_bound_token_is_stepped_up_and_stays_bound() {
    use tower_oauth2::dpop::Dpop;
    use tower_oauth2::jwt::{Algorithm, Draft, signer_fn};

    let jwk = r#"{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}"#;
    let signer = signer_fn(async |draft: Draft| Ok(draft.header(Algorithm::Es256, None)?.signed(&[7; 64])));
    let grant = grant().scope("read").unwrap().dpop(Dpop::signed_by(jwk, Algorithm::Es256, signer).unwrap());
    let bound = |access_token| json!({"access_token": access_token, "token_type": "DPoP", "expires_in": 3600});
    let mut program = Program::new(&OAuth2Layer::new(grant).step_up());
    let sent = program.send();
    let (_, respond) = program.token_request().await;
    respond.send_response(answer(200, bound("a")));
    let demanded = r#"DPoP error="insufficient_scope", scope="write", algs="ES256""#;
    assert_eq!(program.respond(challenge(403, demanded)).await, "DPoP a");
    let (form, respond) = program.token_request().await;
    assert_eq!(form["scope"], "read write");
    respond.send_response(answer(200, bound("b")));
    assert_eq!(program.respond(answer(200, "")).await, "DPoP b");
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    program.assert_passes(challenge(401, demanded)).await;
}

/// Without the option a 401 is a rejection, as before.
#[tokio::test(start_paused = true)]
async fn without_the_option_a_challenge_with_401_rejects_the_token() {
    let mut program = Program::with_token(&layer(), Token::bearer("a").unwrap());
    let header = r#"Bearer error="insufficient_scope", scope="write""#;
    let sent = program.challenged(challenge(401, header)).await;
    assert_eq!(program.issue("b").await.get("scope"), None);
    program.accept(sent, "b").await;
    program.assert_passes(needs_scope("write")).await;
}
