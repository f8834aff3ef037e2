//! D3, D4, D16, D24: each API request carries the token with a proof of its own.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use tower_oauth2::dpop::Dpop;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use super::{bound, bound_token, dpop, in_memory, issued_for, proof};
use crate::support::{API_URL, Body, answer, authorization, get, mock_service, ours};

fn ath(access_token: &str) -> Value {
    URL_SAFE_NO_PAD.encode(Sha256::digest(access_token)).into()
}

/// A key in memory, and one of a signer that the request waits for.
fn both() -> [Dpop; 2] {
    [in_memory(), dpop(1)]
}

#[tokio::test(start_paused = true)]
async fn d4_d16_the_token_request_and_the_api_request_have_proofs_of_one_key() {
    for key in both() {
        let (service, mut server) = mock_service(&OAuth2Layer::new(bound(key)));
        let sent = tokio::spawn(service.oneshot(get("https://API.example.com:443/things%2F1?q=1")));
        let (request, respond) = server.next().await;
        let (token_header, token_claims) = proof(&request);
        assert_eq!(token_claims.get("ath"), None);
        respond.send_response(answer(200, bound_token("a", 3600)));

        let (request, respond) = server.next().await;
        assert_eq!(authorization(&request), Some("DPoP a"));
        assert!(request.headers()["authorization"].is_sensitive());
        let (header, claims) = proof(&request);
        assert_eq!(header, token_header, "the same key, and nothing else");
        assert_eq!(
            (&claims["htm"], &claims["htu"], &claims["ath"]),
            (&json!("GET"), &json!("https://api.example.com/things%2F1"), &ath("a"))
        );
        assert_eq!(claims.get("nonce"), None);
        respond.send_response(answer(200, ""));
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
}

/// In real time, where requests with a fresh Bearer token take the fast path.
#[tokio::test]
async fn d3_each_request_has_a_new_proof() {
    let layer = OAuth2Layer::new(bound(in_memory()));
    layer.tokens().set(Token::dpop("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    let mut seen = HashSet::new();
    for method in [Method::GET, Method::PUT, Method::GET, Method::GET] {
        let request = Request::builder().method(&method).uri(API_URL).body(Body::default()).unwrap();
        let sent = tokio::spawn(service.clone().oneshot(request));
        let (request, respond) = server.next().await;
        assert_eq!(authorization(&request), Some("DPoP a"));
        let claims = proof(&request).1;
        assert_eq!(claims["htm"], method.as_str());
        assert!(seen.insert(claims["jti"].to_string()));
        respond.send_response(answer(200, ""));
        sent.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn d16_a_proof_that_the_request_brings_is_replaced() {
    for key in both() {
        let layer = OAuth2Layer::new(bound(key));
        layer.tokens().set(Token::dpop("a").unwrap());
        let (service, mut server) = mock_service(&layer);
        let request = Request::get(API_URL).header("dpop", "one").header("dpop", "two").body(Body::default()).unwrap();
        let _sent = tokio::spawn(service.oneshot(request));
        assert_eq!(proof(&server.next().await.0).1["ath"], ath("a"));
    }
}

/// RFC 9449 §7.1 fixes both, so the options for Bearer tokens do not apply.
#[tokio::test(start_paused = true)]
async fn d16_the_scheme_and_the_header_are_fixed() {
    for key in both() {
        let layer = OAuth2Layer::new(bound(key)).authorization_header("x-token".parse().unwrap());
        let layer = layer.authorization_scheme("Token").unwrap();
        layer.tokens().set(Token::dpop("a").unwrap());
        let (service, mut server) = mock_service(&layer);
        let _sent = tokio::spawn(service.oneshot(get(API_URL)));
        let (request, _respond) = server.next().await;
        assert_eq!(authorization(&request), Some("DPoP a"));
        assert!(!request.headers().contains_key("x-token"));
        proof(&request);
    }
}

/// A request with a header of its own stays as it is, and the layer's option replaces it.
#[tokio::test(start_paused = true)]
async fn a_request_with_its_own_authorization_gets_no_proof() {
    let own = || Request::get(API_URL).header("authorization", "Basic eDp5").body(Body::default()).unwrap();
    for (header, overrides) in [("authorization", false), ("x-token", false), ("authorization", true)] {
        let layer = OAuth2Layer::new(bound(in_memory())).authorization_header(header.parse().unwrap());
        let layer = if overrides { layer.override_authorization() } else { layer };
        layer.tokens().set(Token::dpop("a").unwrap());
        let (service, mut server) = mock_service(&layer);
        let _sent = tokio::spawn(service.oneshot(own()));
        let (request, _respond) = server.next().await;
        assert_eq!(authorization(&request), Some(if overrides { "DPoP a" } else { "Basic eDp5" }), "{header}");
        assert_eq!(request.headers().contains_key("dpop"), overrides, "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_origin_gets_neither_the_token_nor_a_proof() {
    let layer = OAuth2Layer::new(bound(in_memory())).origin("https://other.example.com").unwrap();
    layer.tokens().set(Token::dpop("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    let request = Request::get(API_URL).header("dpop", "own").body(Body::default()).unwrap();
    let _sent = tokio::spawn(service.oneshot(request));
    let (request, _respond) = server.next().await;
    assert_eq!(authorization(&request), None);
    assert_eq!(request.headers()["dpop"], "own");
}

#[tokio::test(start_paused = true)]
async fn d24_a_request_without_an_authority_is_proven_for_the_only_origin() {
    for (origins, expected) in [
        (&["https://API.example.com:443/v1?q"][..], "https://api.example.com/pkg.Things/Get"),
        (&["http://127.0.0.1:8080"], "http://127.0.0.1:8080/pkg.Things/Get"),
        (&["https://[::1]:8443"], "https://[::1]:8443/pkg.Things/Get"),
        (&["wss://api.example.com"], "https://api.example.com/pkg.Things/Get"),
        (&["https://bücher.example"], "https://xn--bcher-kva.example/pkg.Things/Get"),
        (&["https://api.example.com", "https://api.example.com/"], "https://api.example.com/pkg.Things/Get"),
    ] {
        for key in both() {
            let layer = OAuth2Layer::new(bound(key));
            let layer = origins.iter().fold(layer, |layer, origin| layer.origin(*origin).unwrap());
            layer.tokens().set(Token::dpop("a").unwrap());
            let (service, mut server) = mock_service(&layer);
            let _sent = tokio::spawn(service.oneshot(get("/pkg.Things/Get?q")));
            assert_eq!(proof(&server.next().await.0).1["htu"], expected);
        }
    }
}

/// `OPTIONS *` is about the server as a whole.
#[tokio::test(start_paused = true)]
async fn d24_an_asterisk_is_the_root_of_the_origin() {
    let layer = OAuth2Layer::new(bound(in_memory())).origin("https://api.example.com").unwrap();
    layer.tokens().set(Token::dpop("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    let _sent = tokio::spawn(service.oneshot(Request::options("*").body(Body::default()).unwrap()));
    let claims = proof(&server.next().await.0).1;
    assert_eq!((&claims["htm"], &claims["htu"]), (&json!("OPTIONS"), &json!("https://api.example.com/")));
}

#[tokio::test(start_paused = true)]
async fn d24_without_exactly_one_origin_it_is_an_error() {
    for origins in [&[][..], &["https://one.example.com", "https://two.example.com"]] {
        for key in both() {
            let layer = OAuth2Layer::new(bound(key));
            let layer = origins.iter().fold(layer, |layer, origin| layer.origin(*origin).unwrap());
            layer.tokens().set(Token::dpop("a").unwrap());
            let (service, mut server) = mock_service(&layer);
            let error = ours(service.oneshot(get("/pkg.Things/Get")).await.unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.to_string().contains("name the origin"), "{error}");
            server.assert_no_request().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_no_proof_can_name_is_an_error() {
    let layer = OAuth2Layer::new(bound(in_memory())).dangerous_allow_cleartext();
    layer.tokens().set(Token::dpop("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    for uri in ["ftp://api.example.com/", "api.example.com:443", "https://api.example.com:99999/"] {
        let error = ours(service.clone().oneshot(get(uri)).await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Configuration, "{uri}");
    }
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn authorize_attaches_the_token_and_a_proof() {
    for key in both() {
        let layer = OAuth2Layer::new(bound(key)).origin("https://api.example.com").unwrap();
        let tokens = layer.tokens();
        tokens.set(Token::dpop("a").unwrap());
        let mut request = Request::get("wss://api.example.com/events").header("dpop", "own").body(()).unwrap();
        assert!(tokens.authorize(&mut request).await.unwrap());
        assert_eq!(request.headers()["authorization"], "DPoP a");
        let claims = proof(&request).1;
        assert_eq!((&claims["htu"], &claims["ath"]), (&json!("https://api.example.com/events"), &ath("a")));
        let mut foreign = Request::get("https://other.example.com/").body(()).unwrap();
        assert!(!tokens.authorize(&mut foreign).await.unwrap());
        assert!(foreign.headers().is_empty());
    }
}

/// `Dpop::observe` keeps the nonces of responses to requests that go through no layer.
#[tokio::test(start_paused = true)]
async fn authorize_uses_the_nonce_that_was_observed() {
    for key in both() {
        let tokens = OAuth2Layer::new(bound(key.clone())).tokens();
        tokens.set(Token::dpop("a").unwrap());
        let response = super::api_demand("n1");
        key.observe(&"https://api.example.com/other".parse().unwrap(), response.headers());
        let mut request = get(API_URL);
        tokens.authorize(&mut request).await.unwrap();
        assert_eq!(proof(&request).1["nonce"], "n1");
    }
}

/// A token of another process, or of an earlier start, that was issued for the same key.
#[tokio::test(start_paused = true)]
async fn d29_a_token_that_was_issued_for_the_key_is_sent() {
    let layer = OAuth2Layer::new(bound(dpop(1)));
    layer.tokens().set(issued_for(dpop(1).thumbprint()));
    let (service, mut server) = mock_service(&layer);
    let _sent = tokio::spawn(service.oneshot(get(API_URL)));
    assert_eq!(server.next_authorization().await, Some("DPoP old".to_owned()));
}

/// A server that may issue a Bearer token has done it: the token is sent as such.
#[tokio::test(start_paused = true)]
async fn d11_a_bearer_token_that_was_allowed_is_sent_without_a_proof() {
    let (service, mut server) = mock_service(&OAuth2Layer::new(bound(in_memory().dangerous_allow_bearer())));
    let _sent = tokio::spawn(service.oneshot(get(API_URL)));
    server.issue_token(crate::support::token("a", 3600)).await;
    let (request, _respond) = server.next().await;
    assert_eq!(authorization(&request), Some("Bearer a"));
    assert!(!request.headers().contains_key("dpop"));
}
