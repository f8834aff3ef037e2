//! What each grant does with each demand.

use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::grant::token_type::ACCESS_TOKEN;
use tower_oauth2::grant::{Context, Grant, JwtBearer, Password, Reason, RefreshToken, TokenExchange, grant_fn};
use tower_oauth2::retry::TokenRejected;
use tower_oauth2::test_util::ScriptedGrant;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use super::{CLAIMS, FRESHER_LOGIN, Form, Program, challenge, needs_claims, needs_scope, of_login};
use crate::support::{TOKEN_URL, answer, grant, ours, spawn_refresh};

fn password() -> Password {
    Password::new(TOKEN_URL, Client::public("id"), "alice", "pw").unwrap().scope("read").unwrap()
}

fn jwt_bearer() -> JwtBearer {
    let assertion = tower_oauth2::source::source_fn(async |_| Ok("assertion".to_owned()));
    JwtBearer::new(TOKEN_URL, Client::public("id"), assertion).unwrap().scope("read").unwrap()
}

fn token_exchange() -> TokenExchange {
    let subject = tower_oauth2::source::source_fn(async |_| Ok("subject".to_owned()));
    TokenExchange::new(TOKEN_URL, Client::public("id"), ACCESS_TOKEN, subject).unwrap().scope("read").unwrap()
}

/// A scope and claims are requested with the grant itself, and never with the refresh token. A login is not possible.
async fn needs_no_person<G: Grant>(grant: G, own: (&str, &str)) {
    let is_own = |form: &Form| form[own.0] == own.1 && !form.contains_key("refresh_token");
    let mut program = Program::with_token(&OAuth2Layer::new(grant).step_up(), of_login("a"));
    let sent = program.challenged(needs_scope("write")).await;
    let form = program.issue("b").await;
    assert!(is_own(&form), "{form:?}");
    assert_eq!(form["scope"], "read write");
    program.accept(sent, "b").await;
    program.assert_passes(needs_scope("write")).await;

    let sent = program.challenged(needs_claims(CLAIMS)).await;
    let form = program.issue("c").await;
    assert!(is_own(&form), "{form:?}");
    assert_eq!((form["scope"].as_str(), form["claims"].as_str()), ("read write", CLAIMS));
    program.accept(sent, "c").await;

    let sent = program.challenged(challenge(401, FRESHER_LOGIN)).await;
    let error = ours(sent.await.unwrap().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert!(format!("{error:?}").contains("use a grant with a login"), "{error:?}");
    program.assert_passes(challenge(401, FRESHER_LOGIN)).await;

    // The next token has the scope, which counts as requested.
    program.tokens.invalidate();
    let sent = program.send();
    let form = program.issue("d").await;
    assert_eq!((form["scope"].as_str(), form.get("claims")), ("read write", None));
    program.accept(sent, "d").await;
    program.assert_passes(needs_scope("write")).await;
}

#[tokio::test(start_paused = true)]
async fn client_credentials_obtain_a_scope_and_claims() {
    needs_no_person(grant().scope("read").unwrap(), ("grant_type", "client_credentials")).await;
}

#[tokio::test(start_paused = true)]
async fn a_password_obtains_a_scope_and_claims() {
    needs_no_person(password(), ("username", "alice")).await;
}

#[tokio::test(start_paused = true)]
async fn an_assertion_obtains_a_scope_and_claims() {
    needs_no_person(jwt_bearer(), ("assertion", "assertion")).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_exchange_obtains_a_scope_and_claims() {
    needs_no_person(token_exchange(), ("subject_token", "subject")).await;
}

/// A refresh token brings neither another scope nor another login.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_alone_obtains_claims_only() {
    let grant = || RefreshToken::new(TOKEN_URL, Client::public("id"), "r").unwrap();
    let mut program = Program::with_token(&OAuth2Layer::new(grant()).step_up(), of_login("a"));
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    let form = program.issue("b").await;
    assert_eq!((form["refresh_token"].as_str(), form["claims"].as_str()), ("r0", CLAIMS));
    program.accept(sent, "b").await;
    for response in [needs_scope("write"), challenge(401, FRESHER_LOGIN)] {
        let mut program = Program::with_token(&OAuth2Layer::new(grant()).step_up(), of_login("a"));
        let sent = program.challenged(response).await;
        let error = ours(sent.await.unwrap().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::LoginRequired);
        assert!(format!("{error:?}").contains("`Tokens::set`"), "{error:?}");
        program.server.assert_no_request().await;
        assert_eq!(program.tokens.peek(), Some(of_login("a")));
        // The refresh token still works for everything else.
        let refreshing = spawn_refresh(&program.tokens);
        assert_eq!(program.issue("b").await["refresh_token"], "r0");
        refreshing.await.unwrap().unwrap();
    }
}

/// The server rejects the refresh token with the claims. The token stays in use without it.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_is_dead_ends_the_login_and_not_the_token() {
    let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r").unwrap();
    let mut program = Program::with_token(&OAuth2Layer::new(grant).step_up(), of_login("a"));
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    let (_, respond) = program.token_request().await;
    respond.send_response(answer(400, json!({"error": "invalid_grant"})));
    assert_eq!(ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::LoginRequired);
    program.assert_passes(needs_claims(CLAIMS)).await;
    let sent = program.send();
    program.accept(sent, "a").await;
    assert_eq!(program.tokens.peek().unwrap().refresh_token(), None);
}

/// A grant of the user is called once for each demand, with its challenge.
#[tokio::test(start_paused = true)]
async fn a_grant_of_the_user_reads_each_challenge() {
    let token = |text: &str| Token::bearer(text).unwrap();
    for response in [needs_scope("write"), challenge(401, FRESHER_LOGIN), needs_claims(CLAIMS)] {
        let demanded = super::read(&response);
        let script = ScriptedGrant::new().token(token("b"));
        let mut program = Program::with_token(&OAuth2Layer::new(script.clone()).step_up(), token("a"));
        let sent = program.challenged(response).await;
        program.accept(sent, "b").await;
        let calls = script.calls();
        assert_eq!((calls.len(), calls[0].reason()), (1, Reason::Challenged));
        assert_eq!(calls[0].challenge(), Some(&demanded));
        assert_eq!(calls[0].previous(), Some(&token("a")));
    }
}

/// Challenges that arrive during another refresh are one challenge, which demands all of them.
#[tokio::test(start_paused = true)]
async fn a_grant_of_the_user_reads_the_challenges_of_several_requests_as_one() {
    let token = |text: &str| Token::bearer(text).unwrap();
    let script = ScriptedGrant::new().held().token(token("b")).token(token("c"));
    let mut program = Program::with_token(&OAuth2Layer::new(script.clone()).step_up(), token("a"));
    let sent: Vec<_> = (0..3).map(|_| program.send()).collect();
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(program.server.next().await.1);
    }
    let refreshing = spawn_refresh(&program.tokens);
    script.wait_for_calls(1).await;
    let demands = [needs_scope("write"), needs_scope("admin read"), challenge(401, FRESHER_LOGIN)];
    for (respond, response) in all.into_iter().zip(demands) {
        respond.send_response(response);
    }
    program.server.assert_no_request().await;
    script.release();
    refreshing.await.unwrap().unwrap();
    script.wait_for_calls(2).await;
    let call = &script.calls()[1];
    let challenge = call.challenge().unwrap();
    assert_eq!((call.reason(), challenge.scheme()), (Reason::Challenged, "Bearer"));
    assert_eq!(challenge.error(), Some("insufficient_user_authentication"));
    assert_eq!(challenge.scope(), Some("admin read write"));
    assert_eq!((challenge.param("acr_values"), challenge.param("max_age")), (Some("mfa"), Some("60")));
    for _ in 0..3 {
        program.respond(answer(200, "")).await;
    }
    for sent in sent {
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
}

/// A grant that cannot obtain more says why, and the token stays in use.
#[tokio::test(start_paused = true)]
async fn a_grant_of_the_user_can_deny() {
    let layer = OAuth2Layer::new(grant_fn(async |cx: Context| match cx.reason() {
        Reason::Challenged => Err(Error::caused_by(ErrorKind::Denied, "this program never writes")),
        _ => Token::bearer("b"),
    }));
    let mut program = Program::with_token(&layer.step_up(), Token::bearer("a").unwrap());
    let sent = program.challenged(needs_scope("write")).await;
    assert_eq!(ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::Denied);
    program.assert_passes(needs_scope("write")).await;
    let sent = program.send();
    program.accept(sent, "a").await;
}

/// A wrapper that changes the previous token and the reason, as the documentation of `Context` shows, keeps the demand.
#[tokio::test(start_paused = true)]
async fn a_grant_that_wraps_another_one_passes_the_demand_on() {
    struct WithoutRefreshTokens<G>(G);

    impl<G: Grant> Grant for WithoutRefreshTokens<G> {
        async fn obtain(&self, cx: Context) -> Result<Token, Error> {
            self.0.obtain(cx.with_previous(None).with_reason(Reason::Missing)).await
        }
    }

    let layer = OAuth2Layer::new(WithoutRefreshTokens(password())).step_up();
    let mut program = Program::with_token(&layer, of_login("a"));
    let sent = program.challenged(needs_scope("write")).await;
    assert_eq!(program.issue("b").await["scope"], "read write");
    program.accept(sent, "b").await;
}

/// Without a retry layer, the refresh starts, and the caller sees why.
#[tokio::test(start_paused = true)]
async fn without_a_retry_layer_the_next_request_has_the_token() {
    let layer = OAuth2Layer::new(grant()).step_up();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (service, mut server) = crate::support::mock_service(&layer);
    let sent = tokio::spawn(tower::ServiceExt::oneshot(service.clone(), crate::support::get(crate::support::API_URL)));
    super::respond(&mut server, needs_scope("write")).await;
    let response = sent.await.unwrap().unwrap();
    assert!(response.extensions().get::<TokenRejected>().is_some());
    assert_eq!(super::issue(&mut server, "b", "scope").await.as_deref(), Some("write"));
    crate::support::pass(std::time::Duration::from_millis(1)).await;
    let sent = tokio::spawn(tower::ServiceExt::oneshot(service, crate::support::get(crate::support::API_URL)));
    assert_eq!(super::respond(&mut server, answer(200, "")).await, "Bearer b");
    sent.await.unwrap().unwrap();
}

/// Two layers with clones of one grant have two tokens, and share no state.
#[tokio::test(start_paused = true)]
async fn clones_of_a_grant_do_not_influence_each_other() {
    let grant = grant().scope("read").unwrap();
    let mut one = Program::with_token(&OAuth2Layer::new(grant.clone()).step_up(), Token::bearer("a").unwrap());
    let mut two = Program::new(&OAuth2Layer::new(grant).step_up());
    let sent = one.challenged(needs_scope("write")).await;
    assert_eq!(one.issue("b").await["scope"], "read write");
    one.accept(sent, "b").await;
    let sent = two.send();
    assert_eq!(two.issue("c").await["scope"], "read");
    two.accept(sent, "c").await;
}
