//! When a login starts: for the first token, and afterwards with `Tokens::refresh` or `relogin`.

use serde_json::json;
use tower_oauth2::{ErrorKind, Token};

use super::{Program, grant};
use crate::support::{answer, token};

fn dead() -> http::Response<crate::support::Body> {
    answer(400, r#"{"error":"invalid_grant"}"#)
}

/// An expired token with a refresh token.
fn expired() -> Token {
    serde_json::from_value(json!({"access_token": "old", "refresh_token": "r1", "expires_in": 0})).unwrap()
}

#[tokio::test]
async fn after_a_denial_only_tokens_refresh_starts_a_login() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    login.redirect(&format!("error=access_denied&state={}", login.param("state"))).await;
    login.outcome().await.unwrap_err();
    for _ in 0..3 {
        assert_eq!(program.tokens.get().await.unwrap_err().kind(), ErrorKind::Denied);
    }
    program.assert_no_browser();

    let login = program.force_login().await;
    login.redirect_with_code().await;
    login.outcome().await.unwrap();
    program.tokens.get().await.unwrap();
}

#[tokio::test]
async fn after_a_failed_exchange_no_request_opens_the_browser_again() {
    let mut program = Program::new(grant(), vec![answer(503, "")]);
    let login = program.start_login().await;
    login.redirect_with_code().await;
    assert_eq!(login.outcome().await.unwrap_err().kind(), ErrorKind::Overloaded);
    program.tokens.get().await.unwrap_err();
    program.assert_no_browser();
}

#[tokio::test]
async fn a_refresh_opens_no_browser() {
    let mut program = Program::new(grant(), vec![]);
    program.tokens.set(expired());
    assert_eq!(program.tokens.get().await.unwrap().access_token(), "a");
    let form = program.forms.recv().await.unwrap();
    assert_eq!(form[0].1, "refresh_token");
    assert!(form.contains(&("client_id".to_owned(), "id".to_owned())), "{form:?}");
    program.assert_no_browser();
}

#[tokio::test]
async fn after_a_dead_refresh_token_only_tokens_refresh_starts_a_login() {
    let mut program = Program::new(grant(), vec![dead()]);
    program.tokens.set(expired());
    let error = program.tokens.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert_eq!(error.oauth().unwrap().error(), "invalid_grant");
    assert_eq!(program.tokens.get().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    program.assert_no_browser();

    let login = program.force_login().await;
    login.redirect_with_code().await;
    assert_eq!(login.outcome().await.unwrap().access_token(), "a");
}

#[tokio::test]
async fn with_relogin_a_request_starts_another_login() {
    let mut program = Program::new(grant().relogin(true), vec![dead()]);
    program.tokens.set(expired());
    let login = program.start_login().await;
    login.redirect_with_code().await;
    login.outcome().await.unwrap();
}

#[tokio::test]
async fn relogin_can_be_disabled_again() {
    let mut program = Program::new(grant().relogin(true).relogin(false), vec![dead()]);
    program.tokens.set(expired());
    assert_eq!(program.tokens.get().await.unwrap_err().kind(), ErrorKind::LoginRequired);
    program.assert_no_browser();
}

#[tokio::test]
async fn without_login_on_request_only_tokens_refresh_starts_a_login() {
    for relogin in [false, true] {
        let mut program = Program::new(grant().login_on_request(false).relogin(relogin), vec![dead()]);
        let error = program.tokens.get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LoginRequired);
        let text = format!("{error:?}");
        assert!(text.contains("login_on_request(false)") && text.contains("Tokens::refresh"), "{text}");
        program.tokens.set(expired());
        let error = program.tokens.get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LoginRequired);
        assert_eq!(error.oauth().unwrap().error(), "invalid_grant");
        program.assert_no_browser();

        let login = program.force_login().await;
        login.redirect_with_code().await;
        login.outcome().await.unwrap();
        assert_eq!(program.tokens.get().await.unwrap().access_token(), "a");
    }
    // The last call of the option applies.
    let mut program = Program::new(grant().login_on_request(false).login_on_request(true), vec![]);
    let login = program.start_login().await;
    login.redirect_with_code().await;
    login.outcome().await.unwrap();
}

#[tokio::test]
async fn an_outage_opens_no_browser() {
    let mut program = Program::new(grant().relogin(true), vec![answer(503, r#"{"error":"invalid_grant"}"#)]);
    program.tokens.set(expired());
    assert_eq!(program.tokens.get().await.unwrap_err().kind(), ErrorKind::Overloaded);
    program.assert_no_browser();
}

#[tokio::test]
async fn an_initial_token_needs_no_login_unless_it_has_expired() {
    let initial: Token = serde_json::from_value(json!({"access_token": "initial", "expires_in": 60})).unwrap();
    let mut program = Program::new(grant().token(initial), vec![]);
    assert_eq!(program.tokens.get().await.unwrap().access_token(), "initial");
    program.assert_no_browser();
    assert!(program.forms.try_recv().is_err(), "a token request was sent");

    let expired: Token = serde_json::from_value(json!({"access_token": "expired", "expires_at": 1000})).unwrap();
    let mut program = Program::new(grant().token(expired), vec![answer(200, token("b", 60))]);
    let login = program.start_login().await;
    login.redirect_with_code().await;
    assert_eq!(login.outcome().await.unwrap().access_token(), "b");
}
