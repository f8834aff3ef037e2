//! When a person is asked: for the first token, and then when the user says so.

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
async fn after_a_no_no_request_asks_again_but_the_user_can() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.begin().await;
    login.back(&format!("error=access_denied&state={}", login.asked("state"))).await;
    login.outcome().await.unwrap_err();
    for _ in 0..3 {
        assert_eq!(program.tokens.get().await.unwrap_err().kind(), ErrorKind::Denied);
    }
    program.asks_nobody();

    let login = program.begin_asked_for().await;
    login.back_with_code().await;
    login.outcome().await.unwrap();
    program.tokens.get().await.unwrap();
}

#[tokio::test]
async fn an_exchange_that_failed_does_not_open_the_browser_again() {
    let mut program = Program::new(grant(), vec![answer(503, "")]);
    let login = program.begin().await;
    login.back_with_code().await;
    assert_eq!(login.outcome().await.unwrap_err().kind(), ErrorKind::Overloaded);
    program.tokens.get().await.unwrap_err();
    program.asks_nobody();
}

#[tokio::test]
async fn a_refresh_needs_nobody() {
    let mut program = Program::new(grant(), vec![]);
    program.tokens.set(expired());
    assert_eq!(program.tokens.get().await.unwrap().access_token(), "a");
    let form = program.forms.recv().await.unwrap();
    assert_eq!(form[0].1, "refresh_token");
    assert!(form.contains(&("client_id".to_owned(), "id".to_owned())), "{form:?}");
    program.asks_nobody();
}

#[tokio::test]
async fn a_dead_refresh_token_needs_a_login_that_does_not_start_by_itself() {
    let mut program = Program::new(grant(), vec![dead()]);
    program.tokens.set(expired());
    let error = program.tokens.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginNeeded);
    assert_eq!(error.oauth().unwrap().error(), "invalid_grant");
    assert_eq!(program.tokens.get().await.unwrap_err().kind(), ErrorKind::LoginNeeded);
    program.asks_nobody();

    let login = program.begin_asked_for().await;
    login.back_with_code().await;
    assert_eq!(login.outcome().await.unwrap().access_token(), "a");
}

#[tokio::test]
async fn with_relogin_it_starts_by_itself() {
    let mut program = Program::new(grant().relogin(), vec![dead()]);
    program.tokens.set(expired());
    let login = program.begin().await;
    login.back_with_code().await;
    login.outcome().await.unwrap();
}

#[tokio::test]
async fn an_outage_opens_no_browser() {
    let mut program = Program::new(grant().relogin(), vec![answer(503, r#"{"error":"invalid_grant"}"#)]);
    program.tokens.set(expired());
    assert_eq!(program.tokens.get().await.unwrap_err().kind(), ErrorKind::Overloaded);
    program.asks_nobody();
}

#[tokio::test]
async fn a_preset_token_needs_no_login_and_one_that_is_spent_counts_as_none() {
    let preset: Token = serde_json::from_value(json!({"access_token": "preset", "expires_in": 60})).unwrap();
    let mut program = Program::new(grant().token(preset), vec![]);
    assert_eq!(program.tokens.get().await.unwrap().access_token(), "preset");
    program.asks_nobody();
    assert!(program.forms.try_recv().is_err(), "without the network");

    let spent: Token = serde_json::from_value(json!({"access_token": "spent", "expires_at": 1000})).unwrap();
    let mut program = Program::new(grant().token(spent), vec![answer(200, token("b", 60))]);
    let login = program.begin().await;
    login.back_with_code().await;
    assert_eq!(login.outcome().await.unwrap().access_token(), "b");
}
