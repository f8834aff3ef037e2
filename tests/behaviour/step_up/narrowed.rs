//! G1, G2: a server that grants less than the API demands causes no loop.

use serde_json::{Value, json};
use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::{OAuth2Layer, Token};

use super::{Program, device, needs_scope, of_login};
use crate::support::{answer, grant};

fn narrowed(access_token: &str, scope: &str) -> Value {
    json!({"access_token": access_token, "expires_in": 3600, "scope": scope})
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_was_requested_and_not_granted_starts_nothing() {
    let mut program = Program::new(&OAuth2Layer::new(grant().scope("read write").unwrap()).step_up());
    let sent = program.send();
    let (_, respond) = program.token_request().await;
    respond.send_response(answer(200, narrowed("a", "read")));
    program.respond(needs_scope("write")).await;
    assert_eq!(sent.await.unwrap().unwrap().status(), 403);
    program.assert_passes(needs_scope("read write")).await;
    // A scope that was not requested does, with all that was requested before.
    let sent = program.challenged(needs_scope("admin")).await;
    assert_eq!(program.issue("b").await["scope"], "read write admin");
    program.accept(sent, "b").await;
}

#[tokio::test(start_paused = true)]
async fn a_step_up_that_grants_less_is_tried_once() {
    let mut program = Program::with_token(&OAuth2Layer::new(grant()).step_up(), Token::bearer("a").unwrap());
    let sent = program.challenged(needs_scope("write admin")).await;
    let (form, respond) = program.token_request().await;
    assert_eq!(form["scope"], "admin write");
    respond.send_response(answer(200, narrowed("b", "write")));
    assert_eq!(program.respond(needs_scope("write admin")).await, "Bearer b");
    assert_eq!(sent.await.unwrap().unwrap().status(), 403);
    for _ in 0..5 {
        program.assert_passes(needs_scope("admin")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_grants_less_asks_the_person_once() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
    let sent = program.challenged(needs_scope("admin")).await;
    program.start_login().await;
    let (_, respond) = program.token_request().await;
    respond.send_response(answer(200, narrowed("b", "read")));
    assert_eq!(program.respond(needs_scope("admin")).await, "Bearer b");
    assert_eq!(sent.await.unwrap().unwrap().status(), 403);
    for _ in 0..5 {
        program.assert_passes(needs_scope("admin")).await;
    }
}

/// A grant of the user records nothing, so the scope of its token counts, and fruitless attempts do.
#[tokio::test(start_paused = true)]
async fn a_grant_of_the_user_that_grants_less_is_called_three_times() {
    let layer = OAuth2Layer::new(grant_fn(async |_: Context| Token::bearer("b"))).step_up();
    let mut program = Program::with_token(&layer, Token::bearer("a").unwrap());
    let mut challenged = 0;
    for _ in 0..5 {
        let sent = program.send();
        while !sent.is_finished() {
            tokio::select! {
                biased;
                _ = program.respond(needs_scope("write")) => challenged += 1,
                () = crate::support::pass(std::time::Duration::from_millis(1)) => {}
            }
        }
        assert_eq!(sent.await.unwrap().unwrap().status(), 403);
    }
    assert_eq!(challenged, 5 + 3, "each request once, and three repetitions");
}

/// The application can know that another attempt helps.
#[tokio::test(start_paused = true)]
async fn a_call_of_the_application_ends_the_pause() {
    let layer = OAuth2Layer::new(grant_fn(async |_: Context| Token::bearer("b"))).step_up();
    let mut program = Program::with_token(&layer, Token::bearer("a").unwrap());
    for _ in 0..2 {
        let sent = program.send();
        while !sent.is_finished() {
            tokio::select! {
                biased;
                _ = program.respond(needs_scope("write")) => {}
                () = crate::support::pass(std::time::Duration::from_millis(1)) => {}
            }
        }
        sent.await.unwrap().unwrap();
    }
    program.assert_passes(needs_scope("write")).await;
    program.tokens.step_up(&super::read(&needs_scope("write"))).await.unwrap();
    let sent = program.challenged(needs_scope("write")).await;
    program.accept(sent, "b").await;
}

/// A server that chooses the scope itself grants the same scope with the demanded one.
#[tokio::test(start_paused = true)]
async fn the_scope_that_the_server_has_chosen_is_requested_too() {
    let mut program = Program::new(&OAuth2Layer::new(grant()).step_up());
    let sent = program.send();
    let (form, respond) = program.token_request().await;
    assert_eq!(form.get("scope"), None);
    respond.send_response(answer(200, narrowed("a", "read list")));
    program.respond(needs_scope("write read")).await;
    assert_eq!(program.issue("b").await["scope"], "read list write");
    program.accept(sent, "b").await;
}
