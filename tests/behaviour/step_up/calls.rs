//! `Tokens::step_up`: a program that asks its user first.

use serde_json::json;
use tower_oauth2::grant::{ClientCredentials, Context, Reason, grant_fn};
use tower_oauth2::test_util::ScriptedGrant;
use tower_oauth2::{Challenge, ErrorKind, OAuth2Layer, Token};

use super::{CLAIMS, FRESHER_LOGIN, Program, challenge, device, needs_claims, needs_scope, of_login, read};
use crate::support::{answer, grant, layer, pass, spawn_refresh};

/// A program with the token `a`, and without `.step_up()`.
fn program() -> Program<ClientCredentials> {
    Program::with_token(&layer(), Token::bearer("a").unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_program_sends_the_request_again_with_the_token_that_it_gets() {
    let mut program = program();
    let sent = program.challenged(needs_scope("write")).await;
    let response = sent.await.unwrap().unwrap();
    assert_eq!(response.status(), 403);
    let stepping = program.step_up(&read(&response));
    assert_eq!(program.issue("b").await["scope"], "write");
    assert_eq!(stepping.await.unwrap().unwrap().access_token(), "b");
    let sent = program.send();
    program.accept(sent, "b").await;
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_challenge_can_be_given() {
    for (response, parameter, value) in
        [(needs_scope("write"), "scope", "write"), (challenge(401, FRESHER_LOGIN), "acr_values", "mfa")]
    {
        let mut program = Program::with_token(&OAuth2Layer::new(device()), of_login("a"));
        let stepping = program.step_up(&read(&response));
        assert_eq!(program.log_in("b").await[parameter], value);
        assert_eq!(stepping.await.unwrap().unwrap().access_token(), "b");
    }
    let mut program = Program::with_token(&OAuth2Layer::new(device()), of_login("a"));
    let stepping = program.step_up(&read(&needs_claims(CLAIMS)));
    let form = program.issue("b").await;
    assert_eq!((form["refresh_token"].as_str(), form["claims"].as_str()), ("r0", CLAIMS));
    assert_eq!(stepping.await.unwrap().unwrap().access_token(), "b");
}

/// The user may have agreed twice, or the token may have been obtained for another request.
#[tokio::test(start_paused = true)]
async fn a_token_that_has_all_of_it_is_returned_at_once() {
    let mut program = program();
    let challenged = read(&needs_scope("write"));
    let stepping = program.step_up(&challenged);
    program.issue("b").await;
    stepping.await.unwrap().unwrap();
    assert_eq!(program.tokens.step_up(&challenged).await.unwrap().access_token(), "b");
    program.server.assert_no_request().await;
    // An expired one is not.
    program.tokens.invalidate();
    let stepping = program.step_up(&challenged);
    assert_eq!(program.issue("c").await["scope"], "write");
    assert_eq!(stepping.await.unwrap().unwrap().access_token(), "c");
}

#[tokio::test(start_paused = true)]
async fn the_scope_of_a_token_that_the_program_has_set_counts() {
    let token = serde_json::from_value(json!({"access_token": "a", "scope": "read write"})).unwrap();
    let mut program = Program::with_token(&layer(), token);
    let token = program.tokens.step_up(&read(&needs_scope("write"))).await.unwrap();
    assert_eq!(token.access_token(), "a");
    program.server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_demands_nothing_is_an_error_that_says_so() {
    let mut program = program();
    for header in [
        "Bearer",
        r#"Bearer error="invalid_token", scope="write""#,
        r#"Bearer error="insufficient_scope""#,
        r#"Bearer error="insufficient_claims", claims="%%%""#,
        r#"Basic realm="x""#,
    ] {
        let error = program.tokens.step_up(&read(&challenge(401, header))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{header}");
        let text = error.to_string();
        assert!(text.contains("`challenge`: demands neither a scope nor a login nor claims"), "{text}");
        assert!(text.contains("handle the response without"), "{text}");
    }
    program.server.assert_no_request().await;
    assert_eq!(program.tokens.get().await.unwrap().access_token(), "a");
}

#[tokio::test(start_paused = true)]
async fn ten_calls_share_one_refresh() {
    let mut program = program();
    let calls: Vec<_> = (0..10).map(|_| program.step_up(&read(&needs_scope("write")))).collect();
    program.issue("b").await;
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().access_token(), "b");
    }
    program.server.assert_no_request().await;
}

/// A refresh with another reason does not ask for the scope, so another one follows.
#[tokio::test(start_paused = true)]
async fn it_waits_for_a_running_refresh_first() {
    for fails in [false, true] {
        let mut program = program();
        let refreshing = spawn_refresh(&program.tokens);
        let (form, respond) = program.token_request().await;
        assert_eq!(form.get("scope"), None);
        let stepping = program.step_up(&read(&needs_scope("write")));
        program.server.assert_no_request().await;
        respond.send_response(if fails { answer(503, "") } else { answer(200, crate::support::token("b", 3600)) });
        assert_eq!(refreshing.await.unwrap().is_err(), fails);
        assert_eq!(program.issue("c").await["scope"], "write");
        assert_eq!(stepping.await.unwrap().unwrap().access_token(), "c");
        program.server.assert_no_request().await;
    }
}

/// If the running refresh brings all of it, none follows.
#[tokio::test(start_paused = true)]
async fn a_running_refresh_can_be_enough() {
    let mut program = program();
    let first = program.step_up(&read(&needs_scope("a b")));
    let (_, respond) = program.token_request().await;
    let (second, third) = (program.step_up(&read(&needs_scope("b"))), program.step_up(&read(&needs_scope("c"))));
    program.server.assert_no_request().await;
    respond.send_response(answer(200, crate::support::token("b", 3600)));
    assert_eq!(first.await.unwrap().unwrap().access_token(), "b");
    assert_eq!(second.await.unwrap().unwrap().access_token(), "b");
    assert_eq!(program.issue("c").await["scope"], "a b c");
    assert_eq!(third.await.unwrap().unwrap().access_token(), "c");
}

/// A refresh for a request may not start a login. The call may, also if it has joined that refresh.
#[tokio::test(start_paused = true)]
async fn a_call_that_has_joined_the_refresh_of_a_request_starts_the_login() {
    let layer = OAuth2Layer::new(device().login_on_request(false)).step_up();
    let mut program = Program::with_token(&layer, of_login("a"));
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    let (_, respond) = program.token_request().await;
    let stepping = program.step_up(&read(&needs_claims(CLAIMS)));
    program.server.assert_no_request().await;
    respond.send_response(answer(400, json!({"error": "interaction_required"})));
    assert_eq!(crate::support::ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::LoginRequired);
    let (form, respond) = program.token_request().await;
    assert_eq!(form["refresh_token"], "r0");
    respond.send_response(answer(400, json!({"error": "interaction_required"})));
    assert_eq!(program.log_in("b").await["claims"], CLAIMS);
    assert_eq!(stepping.await.unwrap().unwrap().access_token(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_set_during_the_login_is_returned() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()), of_login("a"));
    let stepping = program.step_up(&read(&needs_scope("write")));
    program.start_login().await;
    program.tokens.set(Token::bearer("set").unwrap());
    assert_eq!(stepping.await.unwrap().unwrap().access_token(), "set");
    // The login ends without effect.
    program.issue("late").await;
    pass(std::time::Duration::from_secs(1)).await;
    assert_eq!(program.tokens.peek().unwrap().access_token(), "set");
}

#[tokio::test(start_paused = true)]
async fn if_the_token_is_forgotten_meanwhile_the_login_starts_over() {
    let layer = OAuth2Layer::new(device().scope("read").unwrap());
    let mut program = Program::with_token(&layer, of_login("a"));
    let stepping = program.step_up(&read(&needs_scope("write")));
    program.start_login().await;
    program.tokens.forget();
    assert_eq!(program.start_login().await["scope"], "read write");
    program.issue("b").await;
    assert_eq!(stepping.await.unwrap().unwrap().access_token(), "b");
}

#[tokio::test(start_paused = true)]
async fn without_a_token_the_first_one_has_the_scope() {
    let layer = OAuth2Layer::new(grant().scope("read").unwrap());
    let mut program = Program::with_token(&layer, Token::bearer("forgotten").unwrap());
    program.tokens.forget();
    let stepping = program.step_up(&read(&needs_scope("write")));
    assert_eq!(program.issue("a").await["scope"], "read write");
    assert_eq!(stepping.await.unwrap().unwrap().access_token(), "a");
}

/// The login goes on, and its token is used.
#[tokio::test(start_paused = true)]
async fn a_dropped_call_does_not_cancel_the_login() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()), of_login("a"));
    let stepping = program.step_up(&read(&needs_scope("write")));
    program.start_login().await;
    stepping.abort();
    stepping.await.unwrap_err();
    program.issue("b").await;
    pass(std::time::Duration::from_secs(1)).await;
    assert_eq!(program.tokens.get().await.unwrap().access_token(), "b");
    // A call that is never polled starts nothing.
    drop(program.tokens.step_up(&read(&needs_scope("admin"))));
    program.server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn the_token_stays_in_use_after_an_error_and_the_next_call_tries_again() {
    let mut program = program();
    for _ in 0..3 {
        let stepping = program.step_up(&read(&needs_scope("write")));
        let (_, respond) = program.token_request().await;
        respond.send_response(answer(400, json!({"error": "invalid_scope"})));
        let error = stepping.await.unwrap().unwrap_err();
        assert_eq!(error.oauth().unwrap().error(), "invalid_scope");
        let sent = program.send();
        program.accept(sent, "a").await;
    }
}

/// A grant sees the challenge, and that the application has asked for it.
#[tokio::test(start_paused = true)]
async fn a_grant_of_the_user_gets_the_challenge() {
    let script = ScriptedGrant::new().token(Token::bearer("b").unwrap());
    let program = Program::with_token(&OAuth2Layer::new(script.clone()), Token::bearer("a").unwrap());
    let challenged = read(&challenge(401, r#"DPoP error="insufficient_user_authentication", max_age="5", note="x""#));
    assert_eq!(program.tokens.step_up(&challenged).await.unwrap().access_token(), "b");
    let calls = script.calls();
    assert_eq!((calls[0].reason(), calls[0].challenge()), (Reason::Forced, Some(&challenged)));
}

#[tokio::test(start_paused = true)]
async fn inside_the_grant_it_is_an_error() {
    let layer = OAuth2Layer::new(grant_fn(async |cx: Context| {
        let tokens = TOKENS.with(|tokens| tokens.borrow().clone()).unwrap();
        match cx.challenge() {
            Some(challenge) => tokens.step_up(challenge).await,
            None => Token::bearer("never"),
        }
    }));
    TOKENS.with(|tokens| *tokens.borrow_mut() = Some(layer.tokens()));
    let program = Program::with_token(&layer, Token::bearer("a").unwrap());
    let error = program.tokens.step_up(&read(&needs_scope("write"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recursion);
    TOKENS.with(|tokens| *tokens.borrow_mut() = None);
}

thread_local! {
    static TOKENS: std::cell::RefCell<Option<tower_oauth2::Tokens>> = const { std::cell::RefCell::new(None) };
}

#[tokio::test(start_paused = true)]
async fn without_a_transport_it_is_an_error() {
    let error = layer().tokens().step_up(&read(&needs_scope("write"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoTransport);
}

/// The future can be spawned.
#[test]
fn the_future_is_send() {
    fn is_send<T: Send>(_: &T) {}
    let (tokens, headers) = (layer().tokens(), needs_scope("write").headers().clone());
    let challenges = Challenge::parse(&headers);
    is_send(&tokens.step_up(&challenges[0]));
}
