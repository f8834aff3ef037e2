//! S5: claims that the server has to evaluate again.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use super::{CLAIMS, Program, challenge, device, needs_claims, needs_scope, of_login};
use crate::support::{answer, grant, layer, ours};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_form_of_base64_is_read() {
    // Its base64 has the characters in which the two alphabets differ, and padding.
    let claims = r#"{"id_token":{"name":{"value":"üÿ>?~þ"}}}"#;
    for encoded in [
        STANDARD.encode(claims),
        STANDARD_NO_PAD.encode(claims),
        URL_SAFE.encode(claims),
        URL_SAFE_NO_PAD.encode(claims),
    ] {
        let mut program = Program::with_token(&layer().step_up(), Token::bearer("a").unwrap());
        let header = format!(r#"Bearer realm="", error="insufficient_claims", claims="{encoded}""#);
        let sent = program.challenged(challenge(401, &header)).await;
        let form = program.issue("b").await;
        assert_eq!(json(&form["claims"]), json(claims), "{encoded}");
        program.accept(sent, "b").await;
    }
    assert!(STANDARD.encode(claims).contains(['+', '/']) && STANDARD.encode(claims).ends_with('='));
}

/// Neither a refresh nor another login would help, so the 401 is no rejection of the token.
#[tokio::test(start_paused = true)]
async fn claims_that_cannot_be_read_start_nothing() {
    for claims in ["%%%", "", "e", &STANDARD.encode("[]"), &STANDARD.encode("\"x\""), &STANDARD.encode("{"), "/w=="] {
        let mut program = Program::with_token(&layer().step_up(), of_login("a"));
        let header = format!(r#"Bearer error="insufficient_claims", claims="{claims}""#);
        program.assert_passes(challenge(401, &header)).await;
        assert_eq!(program.tokens.peek(), Some(of_login("a")));
    }
    let mut program = Program::with_token(&layer().step_up(), of_login("a"));
    program.assert_passes(challenge(401, r#"Bearer error="insufficient_claims""#)).await;
    // The first error counts.
    let sent =
        program.challenged(challenge(401, r#"Bearer error="invalid_token", DPoP error="insufficient_claims""#)).await;
    program.issue("b").await;
    program.accept(sent, "b").await;
}

#[tokio::test(start_paused = true)]
async fn client_credentials_are_sent_with_the_claims() {
    let mut program = Program::with_token(&layer().step_up(), Token::bearer("a").unwrap());
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    let form = program.issue("b").await;
    assert_eq!((form["grant_type"].as_str(), form["claims"].as_str()), ("client_credentials", CLAIMS));
    program.accept(sent, "b").await;
    // The claims were demanded of one token. The next one is requested without them.
    program.tokens.invalidate();
    let sent = program.send();
    assert_eq!(program.issue("c").await.get("claims"), None);
    program.accept(sent, "c").await;
    // So the API can demand them again.
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    assert_eq!(program.issue("d").await["claims"], CLAIMS);
    program.accept(sent, "d").await;
}

#[tokio::test(start_paused = true)]
async fn a_request_is_repeated_once_for_the_same_claims() {
    let mut program = Program::with_token(&layer().step_up(), Token::bearer("a").unwrap());
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    program.issue("b").await;
    assert_eq!(program.respond(needs_claims(CLAIMS)).await, "Bearer b");
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    program.assert_passes(needs_claims(CLAIMS)).await;
    // Other claims are another demand.
    let sent = program.challenged(needs_claims(r#"{"access_token":{"nbf":{"value":"9"}}}"#)).await;
    program.issue("c").await;
    program.accept(sent, "c").await;
}

#[tokio::test(start_paused = true)]
async fn a_login_is_refreshed_with_the_claims_and_no_person_is_asked() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    let form = program.issue("b").await;
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "r0"));
    assert_eq!(form["claims"], CLAIMS);
    program.accept(sent, "b").await;
    program.assert_passes(needs_claims(CLAIMS)).await;
    // A later refresh is sent without them, so its token can be challenged for them again.
    let refreshing = crate::support::spawn_refresh(&program.tokens);
    assert_eq!(program.issue("c").await.get("claims"), None);
    refreshing.await.unwrap().unwrap();
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    assert_eq!(program.issue("d").await["claims"], CLAIMS);
    program.accept(sent, "d").await;
}

#[tokio::test(start_paused = true)]
async fn a_person_is_asked_only_if_the_server_demands_it() {
    for (error, asks) in [
        ("interaction_required", true),
        ("invalid_grant", true),
        ("login_required", true),
        ("consent_required", true),
        ("invalid_request", false),
        ("access_denied", false),
        ("unmet_authentication_requirements", false),
        ("invalid_client", false),
        ("temporarily_unavailable", false),
    ] {
        let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
        let sent = program.challenged(needs_claims(CLAIMS)).await;
        let (form, respond) = program.token_request().await;
        assert_eq!((form["refresh_token"].as_str(), form["claims"].as_str()), ("r0", CLAIMS));
        respond.send_response(answer(400, json!({"error": error})));
        if asks {
            assert_eq!(program.log_in("b").await["claims"], CLAIMS, "{error}");
            program.accept(sent, "b").await;
        } else {
            assert_eq!(ours(sent.await.unwrap().unwrap_err()).oauth().unwrap().error(), error);
            program.server.assert_no_request().await;
            assert_eq!(program.tokens.peek(), Some(of_login("a")), "{error}");
        }
    }
}

/// An outage, or the page of a proxy, asks no person either.
#[tokio::test(start_paused = true)]
async fn an_outage_asks_no_person() {
    for response in [answer(503, json!({"error": "invalid_grant"})), answer(403, "<html>")] {
        let mut program = Program::with_token(&OAuth2Layer::new(device().relogin(true)).step_up(), of_login("a"));
        let sent = program.challenged(needs_claims(CLAIMS)).await;
        let (_, respond) = program.token_request().await;
        respond.send_response(response);
        ours(sent.await.unwrap().unwrap_err());
        program.server.assert_no_request().await;
        assert_eq!(program.tokens.peek(), Some(of_login("a")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_without_a_refresh_token_asks_the_person() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), Token::bearer("a").unwrap());
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    assert_eq!(program.log_in("b").await["claims"], CLAIMS);
    program.accept(sent, "b").await;
}

/// The server can demand a person, and the program forbids it.
#[tokio::test(start_paused = true)]
async fn with_login_on_request_false_the_claims_are_refreshed_only() {
    let layer = OAuth2Layer::new(device().login_on_request(false)).step_up();
    let mut program = Program::with_token(&layer, of_login("a"));
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    program.issue("b").await;
    program.accept(sent, "b").await;
    let sent = program.challenged(needs_claims(r#"{"id_token":{"acr":null}}"#)).await;
    let (_, respond) = program.token_request().await;
    respond.send_response(answer(400, json!({"error": "interaction_required"})));
    assert_eq!(ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::LoginRequired);
    program.server.assert_no_request().await;
}

/// Entra ID demands claims of a program that has announced `cp1`.
#[tokio::test(start_paused = true)]
async fn the_claims_are_merged_into_those_of_the_program() {
    let announced = r#"{"access_token":{"xms_cc":{"values":["cp1"]},"nbf":{"value":"0"}},"id_token":{"acr":null}}"#;
    let grant = grant().param("claims", announced);
    let mut program = Program::new(&OAuth2Layer::new(grant).step_up());
    let sent = program.send();
    assert_eq!(program.issue("a").await["claims"], announced);
    program.respond(needs_claims(CLAIMS)).await;
    let merged = json!({
        "access_token": {"xms_cc": {"values": ["cp1"]}, "nbf": {"essential": true, "value": "1702682181"}},
        "id_token": {"acr": null},
    });
    assert_eq!(json(&program.issue("b").await["claims"]), merged);
    program.accept(sent, "b").await;
    // The next token has those of the program.
    program.tokens.invalidate();
    let sent = program.send();
    assert_eq!(program.issue("c").await["claims"], announced);
    program.accept(sent, "c").await;
    // What the program asks for is no reason for another token.
    program.assert_passes(needs_claims(r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#)).await;
}

/// A parameter that is no object cannot be merged. The challenge replaces it.
#[tokio::test(start_paused = true)]
async fn a_parameter_that_is_no_object_is_replaced() {
    let grant = grant().param("claims", "none");
    let mut program = Program::with_token(&OAuth2Layer::new(grant).step_up(), Token::bearer("a").unwrap());
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    assert_eq!(program.issue("b").await["claims"], CLAIMS);
    program.accept(sent, "b").await;
}

/// A scope needs a login, and claims alone do not. Together they are one login.
#[tokio::test(start_paused = true)]
async fn claims_and_a_scope_that_arrive_during_a_refresh_are_one_login() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
    let (one, two) = (program.send(), program.send());
    let (_, first) = program.server.next().await;
    let (_, second) = program.server.next().await;
    let refreshing = crate::support::spawn_refresh(&program.tokens);
    let (_, respond) = program.token_request().await;
    first.send_response(needs_claims(CLAIMS));
    second.send_response(needs_scope("write"));
    program.server.assert_no_request().await;
    respond.send_response(answer(200, crate::support::token("b", 3600)));
    refreshing.await.unwrap().unwrap();
    // Both are repeated with the refreshed token, while the login starts.
    let mut started = None;
    for _ in 0..3 {
        let (request, respond) = program.server.next().await;
        if request.uri() == super::DEVICE_URL {
            started = Some(crate::support::form(request).await);
            respond.send_response(answer(400, json!({"error": "invalid_request"})));
        } else {
            respond.send_response(answer(200, ""));
        }
    }
    let started = started.expect("no login");
    assert!(started.contains(&("scope".to_owned(), "write".to_owned())), "{started:?}");
    assert!(started.contains(&("claims".to_owned(), CLAIMS.to_owned())), "{started:?}");
    for sent in [one, two] {
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
}
