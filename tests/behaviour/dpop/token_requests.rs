//! D1–D4, D9, D13: each token request has a proof of its own. Other requests have none.

use std::collections::HashSet;
use std::future::pending;
use std::time::Duration;

use serde_json::json;
use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{RevocationEndpoint, TokenEndpoint};
use tower_oauth2::form::Form;
use tower_oauth2::grant::{AuthorizationCode, DeviceCode, Grant, RefreshToken};
use tower_oauth2::jwt::{Draft, signer_fn};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use super::signers::remote;
use super::{bound, bound_token, demand, dpop, proof};
use crate::support::{API_URL, Server, TOKEN_URL, answer, form, get, mock_service, ours};

fn issued(access_token: &str) -> serde_json::Value {
    json!({"access_token": access_token, "token_type": "DPoP", "expires_in": 60, "refresh_token": "r"})
}

/// A layer whose token requests the test answers.
fn tokens(grant: impl Grant) -> (tower_oauth2::Tokens, Server) {
    let layer = OAuth2Layer::new(grant);
    let (service, server) = mock_service(&layer);
    // Keeps a service alive, whose inner service the handle uses.
    tokio::spawn(async move {
        let mut service = service;
        let _ = service.ready().await;
        pending::<()>().await;
    });
    (layer.tokens(), server)
}

#[tokio::test(start_paused = true)]
async fn d1_d2_d3_d4_d9_a_grant_and_each_refresh_have_a_proof_by_one_key() {
    let grant = bound(dpop(1)).header("DPoP", "configured").unwrap();
    let (tokens, mut server) = tokens(grant);
    let mut seen = HashSet::new();
    for round in 0..3 {
        let refreshed = tokio::spawn({
            let tokens = tokens.clone();
            async move { tokens.refresh().await }
        });
        let (request, respond) = server.next().await;
        let (header, claims) = proof(&request);
        assert_eq!(
            header,
            json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": {"crv": "P-256", "kty": "EC", "x": "AAA1", "y": "AAAA"}})
        );
        assert_eq!((&claims["htm"], &claims["htu"]), (&json!("POST"), &json!(TOKEN_URL)));
        let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["htm", "htu", "iat", "jti"]);
        assert!(seen.insert(claims["jti"].to_string()), "a proof is sent once");
        assert_eq!(form(request).await[0].1, if round == 0 { "client_credentials" } else { "refresh_token" });
        respond.send_response(answer(200, issued(&format!("a{round}"))));
        refreshed.await.unwrap().unwrap();
    }
}

/// `map_request` changes the path, and the proof is for the request that is sent.
#[tokio::test(start_paused = true)]
async fn d5_the_proof_is_for_the_address_that_the_request_is_sent_to() {
    let grant = bound(dpop(1)).map_request(|mut request| {
        *request.uri_mut() = "https://AUTH.example.com:443/other/path?key=k".parse().unwrap();
        request.headers_mut().insert("dpop", "mapped".parse().unwrap());
        request
    });
    let (tokens, mut server) = tokens(grant);
    tokio::spawn(async move { tokens.get().await });
    let (request, _) = server.next().await;
    assert_eq!(proof(&request).1["htu"], json!("https://auth.example.com/other/path"));
}

#[tokio::test(start_paused = true)]
async fn d13_the_code_is_sent_again_with_the_same_verifier() {
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::public("id")).unwrap().dpop(dpop(1));
    let grant = AuthorizationCode::from_endpoint("https://auth.example.com/authorize", endpoint).unwrap();
    let login = grant.authorization_url("https://app.example.com/callback").unwrap();
    let query = format!("code=c0de&state={}", login.state());
    let code = grant.callback(login, &query).unwrap();
    let (inner, handle) = tower_test::mock::pair();
    let mut server = Server::from(handle);
    let exchanged = tokio::spawn(async move { grant.exchange(&Transport::new(inner), code).await });
    let (request, respond) = server.next().await;
    assert_eq!(proof(&request).1.get("nonce"), None);
    let first = form(request).await;
    respond.send_response(demand(400, "n1"));
    let (request, respond) = server.next().await;
    assert_eq!(proof(&request).1["nonce"], json!("n1"));
    let second = form(request).await;
    assert_eq!(first, second);
    assert!(first.iter().any(|(name, _)| name == "code_verifier"));
    assert!(first.contains(&("code".to_owned(), "c0de".to_owned())));
    respond.send_response(answer(200, bound_token("a", 60)));
    assert_eq!(exchanged.await.unwrap().unwrap().access_token(), "a");
}

/// The device authorization request has no proof, and each poll has its own.
#[tokio::test(start_paused = true)]
async fn d9_each_poll_of_a_device_login_has_a_proof() {
    let device_url = "https://auth.example.com/device";
    let grant = DeviceCode::new(device_url, TOKEN_URL, Client::public("id"), |_: &_| ()).unwrap().dpop(dpop(1));
    let (tokens, mut server) = tokens(grant);
    let login = tokio::spawn(async move { tokens.get().await });
    let (request, respond) = server.next().await;
    assert_eq!((request.uri().to_string().as_str(), request.headers().get("dpop")), (device_url, None));
    let started = json!({
        "device_code": "d", "user_code": "u", "verification_uri": "https://auth.example.com/d", "expires_in": 600
    });
    respond.send_response(answer(200, started));
    let mut seen = HashSet::new();
    for response in [
        answer(400, json!({"error": "authorization_pending"})),
        demand(400, "n1"),
        answer(400, json!({"error": "authorization_pending"})),
        answer(200, bound_token("a", 60)),
    ] {
        let (request, respond) = server.next().await;
        let (_, claims) = proof(&request);
        assert!(seen.insert(claims["jti"].to_string()));
        assert_eq!(claims.get("nonce").is_some(), seen.len() > 2, "poll {}", seen.len());
        respond.send_response(response);
    }
    assert_eq!(login.await.unwrap().unwrap().access_token(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_revocation_request_has_no_proof() {
    let layer = OAuth2Layer::new(bound(dpop(1)));
    let (mut service, mut server) = mock_service(&layer);
    layer.tokens().set(Token::dpop("a").unwrap());
    let _ = service.ready().await.unwrap();
    let endpoint = RevocationEndpoint::new("https://auth.example.com/revoke", Client::basic("id", "secret")).unwrap();
    let revoked = tokio::spawn(async move { layer.tokens().revoke(&endpoint).await });
    let (request, respond) = server.next().await;
    assert_eq!(request.headers().get("dpop"), None);
    respond.send_response(answer(200, ""));
    revoked.await.unwrap().unwrap();
}

/// Nothing is sent, and the refresh token is kept.
#[tokio::test(start_paused = true)]
async fn a_signer_that_fails_or_never_returns_fails_the_token_request() {
    let fails =
        remote(signer_fn(async |_: Draft| Err(Error::caused_by(ErrorKind::Proof, "the KMS cannot be reached"))));
    let never = remote(signer_fn(async |_: Draft| pending().await));
    for (dpop, why) in [(fails, "the KMS cannot be reached"), (never, "30s")] {
        let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r").unwrap().dpop(dpop);
        let (service, mut server) = mock_service(&OAuth2Layer::new(grant));
        for _ in 0..2 {
            let error = ours(service.clone().oneshot(get(API_URL)).await.unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Proof);
            assert!(format!("{error:?}").contains(why), "{error:?}");
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        server.assert_no_request().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_repeats_the_proof_loses_its_description() {
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::public("id")).unwrap().dpop(dpop(1));
    let (inner, handle) = tower_test::mock::pair();
    let mut server = Server::from(handle);
    let sent = tokio::spawn(async move { endpoint.token(&Transport::new(inner), Form::new("g")).await });
    let (request, respond) = server.next().await;
    let proof = request.headers()["dpop"].to_str().unwrap().to_owned();
    let body = json!({"error": "invalid_dpop_proof", "error_description": format!("not valid: {proof}")});
    respond.send_response(answer(400, body));
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(error.oauth().unwrap().error(), "invalid_dpop_proof");
    assert_eq!(error.oauth().unwrap().description(), None);
    assert!(!format!("{error:?} {error}").contains(&proof));
}
