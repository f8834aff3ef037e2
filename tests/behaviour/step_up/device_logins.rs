//! S1, S2, S3: a challenge starts a login on another device, and not the refresh token.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tower_oauth2::test_util::Clock;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::{FRESHER_LOGIN, Program, challenge, device, needs_scope, of_login, read};
use crate::support::{answer, ours};

#[tokio::test(start_paused = true)]
async fn s1_the_demands_are_in_the_request_that_starts_a_login() {
    let layer = OAuth2Layer::new(device().scope("read").unwrap()).step_up();
    let mut program = Program::with_token(&layer, of_login("a"));
    let sent = program.challenged(challenge(401, FRESHER_LOGIN)).await;
    let started = program.log_in("b").await;
    assert_eq!((started["acr_values"].as_str(), started["max_age"].as_str()), ("mfa", "60"));
    assert_eq!(started["scope"], "read");
    program.accept(sent, "b").await;
    program.server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn s1_each_of_these_demands_needs_a_login() {
    for (response, parameter, value) in [
        (needs_scope("write"), "scope", "write"),
        (challenge(401, r#"Bearer error="insufficient_user_authentication", acr_values="mfa""#), "acr_values", "mfa"),
        (challenge(401, r#"Bearer error="insufficient_user_authentication", max_age=0"#), "max_age", "0"),
    ] {
        let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
        let sent = program.challenged(response).await;
        // `log_in` fails if a refresh token is sent first.
        assert_eq!(program.log_in("b").await[parameter], value);
        program.accept(sent, "b").await;
    }
}

#[tokio::test(start_paused = true)]
async fn s2_a_person_without_such_a_login_is_denied_and_not_asked_again() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
    let sent = program.challenged(challenge(401, FRESHER_LOGIN)).await;
    program.start_login().await;
    let (_, respond) = program.token_request().await;
    respond.send_response(answer(400, json!({"error": "unmet_authentication_requirements"})));
    let error = ours(sent.await.unwrap().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(error.oauth().unwrap().error(), "unmet_authentication_requirements");
    program.assert_passes(challenge(401, FRESHER_LOGIN)).await;
    program.assert_passes(needs_scope("write")).await;
    // The token and its refresh token stay in use.
    assert_eq!(program.tokens.peek(), Some(of_login("a")));
    // Only a call of the application starts another login.
    let stepping = program.step_up(&read(&challenge(401, FRESHER_LOGIN)));
    program.log_in("b").await;
    assert_eq!(stepping.await.unwrap().unwrap().access_token(), "b");
}

/// The server can say so before it issues a code.
#[tokio::test(start_paused = true)]
async fn s2_a_login_that_does_not_start_is_denied() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
    let sent = program.challenged(challenge(401, FRESHER_LOGIN)).await;
    let (_, respond) = program.server.next().await;
    respond.send_response(answer(400, json!({"error": "unmet_authentication_requirements"})));
    assert_eq!(ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::Denied);
    program.assert_passes(challenge(401, FRESHER_LOGIN)).await;
}

#[tokio::test(start_paused = true)]
async fn s3_a_scope_and_a_fresher_login_are_demanded_in_one_login() {
    let layer = OAuth2Layer::new(device().scope("read").unwrap()).step_up();
    let mut program = Program::with_token(&layer, of_login("a"));
    let sent = program.challenged(challenge(401, &format!(r#"{FRESHER_LOGIN}, scope="pay""#))).await;
    let started = program.log_in("b").await;
    assert_eq!((started["scope"].as_str(), started["acr_values"].as_str()), ("read pay", "mfa"));
    assert_eq!(started["max_age"], "60");
    program.accept(sent, "b").await;
}

/// G1: the age of the login counts. The wall clock measures it, because the login can be older than this process.
#[tokio::test(start_paused = true)]
async fn a_login_that_is_young_enough_is_not_repeated() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
    let sent = program.challenged(challenge(401, FRESHER_LOGIN)).await;
    program.log_in("b").await;
    program.accept(sent, "b").await;
    clock.step_forward(Duration::from_secs(58));
    program.assert_passes(challenge(401, FRESHER_LOGIN)).await;
    clock.step_forward(Duration::from_secs(3));
    let sent = program.challenged(challenge(401, FRESHER_LOGIN)).await;
    program.log_in("c").await;
    program.accept(sent, "c").await;
}

/// The server can know the person from an earlier login, which is younger than `max_age`. Then the token is not good for as long.
#[tokio::test(start_paused = true)]
async fn the_time_of_the_login_is_that_of_the_id_token() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // A time in the future is the fault of a clock.
    for (auth_time, good_for) in [(now - 50, 7), (now + 1000, 56)] {
        let claims = URL_SAFE_NO_PAD.encode(json!({"auth_time": auth_time}).to_string());
        let token = json!({"access_token": "b", "expires_in": 3600, "id_token": format!("e30.{claims}.c2ln")});
        let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
        let sent = program.challenged(challenge(401, FRESHER_LOGIN)).await;
        program.start_login().await;
        let (_, respond) = program.token_request().await;
        respond.send_response(answer(200, token));
        program.accept(sent, "b").await;
        clock.step_forward(Duration::from_secs(good_for));
        program.assert_passes(challenge(401, FRESHER_LOGIN)).await;
        clock.step_forward(Duration::from_secs(6));
        let sent = program.challenged(challenge(401, FRESHER_LOGIN)).await;
        program.log_in("c").await;
        program.accept(sent, "c").await;
        clock.step_back(Duration::from_secs(good_for + 6));
    }
}

/// A login for more scope would otherwise bring a weaker one, and the next request would need a third login.
#[tokio::test(start_paused = true)]
async fn a_later_login_for_a_scope_is_as_strong_and_any_age() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
    let sent = program.challenged(challenge(401, FRESHER_LOGIN)).await;
    program.log_in("b").await;
    program.accept(sent, "b").await;
    let sent = program.challenged(needs_scope("write")).await;
    let started = program.log_in("c").await;
    assert_eq!((started["scope"].as_str(), started["acr_values"].as_str()), ("write", "mfa"));
    assert_eq!(started.get("max_age"), None);
    program.accept(sent, "c").await;
    // Without a challenge, the person is asked for what the program has configured, and for the scope.
    program.tokens.set(of_login("d"));
    program.tokens.forget();
    let sent = program.send();
    let started = program.log_in("e").await;
    assert_eq!((started.get("scope"), started.get("acr_values")), (None, None));
    program.accept(sent, "e").await;
}

#[tokio::test(start_paused = true)]
async fn what_the_program_has_configured_counts_as_requested() {
    let grant = device().param("acr_values", "mfa").param("max_age", "30");
    let mut program = Program::new(&OAuth2Layer::new(grant).step_up());
    let sent = program.send();
    program.log_in("a").await;
    program.accept(sent, "a").await;
    program.assert_passes(challenge(401, FRESHER_LOGIN)).await;
    // Of two ages, the smaller one is requested.
    let sent = program.challenged(challenge(401, &FRESHER_LOGIN.replace("mfa", "hwk"))).await;
    let started = program.log_in("b").await;
    assert_eq!((started["acr_values"].as_str(), started["max_age"].as_str()), ("hwk", "30"));
    program.accept(sent, "b").await;
}

#[tokio::test(start_paused = true)]
async fn with_login_on_request_false_only_a_call_of_the_application_starts_a_login() {
    let layer = OAuth2Layer::new(device().login_on_request(false).relogin(true)).step_up();
    let mut program = Program::with_token(&layer, of_login("a"));
    let sent = program.challenged(challenge(401, FRESHER_LOGIN)).await;
    let error = ours(sent.await.unwrap().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert!(format!("{error:?}").contains("`Tokens::step_up`"), "{error:?}");
    program.assert_passes(challenge(401, FRESHER_LOGIN)).await;
    let stepping = program.step_up(&read(&challenge(401, FRESHER_LOGIN)));
    assert_eq!(program.log_in("b").await["acr_values"], "mfa");
    assert_eq!(stepping.await.unwrap().unwrap().access_token(), "b");
    program.assert_passes(challenge(401, FRESHER_LOGIN)).await;
}

/// `step_up` is the consent to a login for a challenge, and not to one after a dead refresh token.
#[tokio::test(start_paused = true)]
async fn step_up_is_no_consent_to_other_logins() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
    let sent = program.challenged(answer(401, "")).await;
    let (form, respond) = program.token_request().await;
    assert_eq!(form["grant_type"], "refresh_token");
    respond.send_response(answer(400, json!({"error": "invalid_grant"})));
    assert_eq!(ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::LoginRequired);
    program.server.assert_no_request().await;
}
