//! What a token records of its request. The record is stored with the token, and not shown.

use serde_json::{Value, json};
use tower_oauth2::grant::{Context, Grant};
use tower_oauth2::transport::Transport;
use tower_oauth2::{OAuth2Layer, Token};

use super::{CLAIMS, FRESHER_LOGIN, Program, challenge, device, needs_claims, needs_scope, of_login};
use crate::support::{answer, grant};

/// The record in the JSON of a token.
fn record(token: &Token) -> Value {
    serde_json::to_value(token).unwrap()["tower_oauth2"].clone()
}

/// The token after it was stored and loaded.
fn reloaded(token: &Token) -> Token {
    serde_json::from_str(&serde_json::to_string(token).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_login_is_recorded_and_known_after_a_restart() {
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let layer = || OAuth2Layer::new(device().scope("read").unwrap()).step_up();
    let mut program = Program::with_token(&layer(), of_login("a"));
    let sent = program.challenged(challenge(401, &format!(r#"{FRESHER_LOGIN}, scope="pay""#))).await;
    program.log_in("b").await;
    program.accept(sent, "b").await;

    let token = program.tokens.peek().unwrap();
    let recorded = record(&token);
    let at = recorded["login_at"].as_u64().unwrap();
    assert_eq!(recorded, json!({"scope": "read pay", "acr_values": "mfa", "max_age": 60, "login_at": at}));
    assert!(at >= started, "{at}");

    // After a restart, nothing is demanded again.
    let mut program = Program::with_token(&layer(), reloaded(&token));
    program.assert_passes(challenge(401, FRESHER_LOGIN)).await;
    program.assert_passes(needs_scope("read pay")).await;
    let sent = program.challenged(needs_scope("write")).await;
    let started = program.log_in("c").await;
    assert_eq!((started["scope"].as_str(), started["acr_values"].as_str()), ("read pay write", "mfa"));
    program.accept(sent, "c").await;
}

#[tokio::test(start_paused = true)]
async fn a_refresh_keeps_the_record_of_the_login() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
    let sent = program.challenged(challenge(401, &format!(r#"{FRESHER_LOGIN}, scope="pay""#))).await;
    program.start_login().await;
    let (_, respond) = program.token_request().await;
    respond.send_response(answer(200, json!({"access_token": "b", "refresh_token": "r1", "expires_in": 3600})));
    program.accept(sent, "b").await;
    let before = record(&program.tokens.peek().unwrap());
    let refreshing = crate::support::spawn_refresh(&program.tokens);
    assert_eq!(program.issue("c").await["refresh_token"], "r1");
    assert_eq!(record(&refreshing.await.unwrap().unwrap()), before);
    program.assert_passes(needs_scope("pay")).await;
}

#[tokio::test(start_paused = true)]
async fn claims_are_recorded() {
    let mut program = Program::with_token(&crate::support::layer().step_up(), Token::bearer("a").unwrap());
    let sent = program.challenged(needs_claims(CLAIMS)).await;
    program.issue("b").await;
    program.accept(sent, "b").await;
    let token = program.tokens.peek().unwrap();
    assert_eq!(record(&token), json!({"claims": serde_json::from_str::<Value>(CLAIMS).unwrap()}));
    let mut program = Program::with_token(&crate::support::layer().step_up(), reloaded(&token));
    program.assert_passes(needs_claims(CLAIMS)).await;
}

#[tokio::test(start_paused = true)]
async fn the_record_is_not_shown() {
    let mut program = Program::with_token(&OAuth2Layer::new(device()).step_up(), of_login("a"));
    let sent = program.challenged(challenge(401, &FRESHER_LOGIN.replace("mfa", "shown-nowhere"))).await;
    program.log_in("b").await;
    program.accept(sent, "b").await;
    let token = program.tokens.peek().unwrap();
    assert!(record(&token).to_string().contains("shown-nowhere"));
    for token in [&token, &reloaded(&token)] {
        assert_eq!(token.extra("tower_oauth2"), None);
        assert!(!format!("{token:?} {token:#?}").contains("shown-nowhere"));
    }
    // The record is not part of what makes two tokens equal.
    let other = reloaded(&token);
    let mut without: Value = serde_json::to_value(&other).unwrap();
    without.as_object_mut().unwrap().remove("tower_oauth2");
    assert_eq!(serde_json::from_value::<Token>(without).unwrap(), other);
}

/// A server could otherwise say that its token has what an API demands.
#[tokio::test(start_paused = true)]
async fn a_record_in_the_response_of_a_server_is_dropped() {
    for member in [json!({"scope": "write", "x": 1}), json!("text"), json!(null)] {
        let response = json!({"access_token": "a", "expires_in": 3600, "tower_oauth2": member});
        let mut program = Program::new(&crate::support::layer().step_up());
        let sent = program.send();
        let (_, respond) = program.token_request().await;
        respond.send_response(answer(200, response.clone()));
        program.accept(sent, "a").await;
        let token = program.tokens.peek().unwrap();
        assert_eq!((record(&token), token.extra("tower_oauth2")), (Value::Null, None));
        let sent = program.challenged(needs_scope("write")).await;
        assert_eq!(program.issue("b").await["scope"], "write");
        program.accept(sent, "b").await;
    }
}

/// Such a token was set by the program, or stored by an older version of this crate.
#[tokio::test(start_paused = true)]
async fn without_a_record_the_scope_of_the_token_counts() {
    let older = json!({"access_token": "a", "refresh_token": "r0", "scope": "read list", "tower_oauth2": {"later": 1}});
    let layer = OAuth2Layer::new(device().scope("read").unwrap()).step_up();
    let mut program = Program::with_token(&layer, serde_json::from_value(older).unwrap());
    program.assert_passes(needs_scope("list")).await;
    let sent = program.challenged(needs_scope("write")).await;
    assert_eq!(program.log_in("b").await["scope"], "read list write");
    program.accept(sent, "b").await;
}

/// A web application completes the login itself, and keeps the token.
#[tokio::test(start_paused = true)]
async fn the_login_of_a_web_application_is_recorded() {
    use tower_oauth2::client::Client;
    use tower_oauth2::grant::AuthorizationCode;

    let (endpoint, mut forms) = crate::support::token_endpoint(vec![]);
    let grant =
        AuthorizationCode::new("https://auth.example.com/authorize", crate::support::TOKEN_URL, Client::public("id"));
    let grant = grant.unwrap().scope("read").unwrap().param("acr_values", "mfa");
    let login = grant.authorization_url("https://app.example.com/callback").unwrap();
    let query = format!("code=c&state={}", login.state());
    let code = grant.callback(login, &query).unwrap();
    let token = grant.exchange(&Transport::new(endpoint), code).await.unwrap();
    forms.recv().await.unwrap();
    let recorded = record(&token);
    assert_eq!((recorded["scope"].as_str(), recorded["acr_values"].as_str()), (Some("read"), Some("mfa")));
    assert!(recorded["login_at"].is_u64(), "{recorded}");
}

/// S2: a web application reads the redirect itself.
#[test]
fn s2_a_web_application_gets_the_denial() {
    use tower_oauth2::ErrorKind;
    use tower_oauth2::client::Client;
    use tower_oauth2::grant::AuthorizationCode;

    let authorize = "https://auth.example.com/authorize";
    let grant = AuthorizationCode::new(authorize, crate::support::TOKEN_URL, Client::public("id")).unwrap();
    let login = grant.authorization_url("https://app.example.com/callback").unwrap();
    let query = format!("error=unmet_authentication_requirements&state={}", login.state());
    assert_eq!(grant.callback(login, &query).unwrap_err().kind(), ErrorKind::Denied);
}

/// Without a layer, too.
#[tokio::test]
async fn a_grant_that_is_called_directly_records_its_request() {
    let (endpoint, mut forms) = crate::support::token_endpoint(vec![]);
    let grant = grant().scope("read").unwrap();
    let token = grant.obtain(Context::new(Transport::new(endpoint.clone()))).await.unwrap();
    assert_eq!(record(&token), json!({"scope": "read"}));
    let cx = Context::new(Transport::new(endpoint)).with_previous(reloaded(&token));
    grant.obtain(cx).await.unwrap();
    for _ in 0..2 {
        assert!(forms.recv().await.unwrap().contains(&("scope".to_owned(), "read".to_owned())));
    }
}
