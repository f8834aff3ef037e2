//! API requests with bound tokens, at APIs that verify each proof: the echo of `server.mjs`, and the userinfo endpoints of both servers.

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::RevocationEndpoint;
use tower_oauth2::retry::RejectionReason;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::authorization_code::{at_glewlwyd, at_oidc_provider};
use crate::discovery::{revoke, tokens};
use crate::dpop_service::{Api, credentials, new_key};
use crate::plain::{self, Credentials, get, post_token, send};
use crate::{glewlwyd, oidc_provider};

/// Method, address, `ath`, key and the reuse of `jti` are checked by the server.
#[tokio::test]
async fn oidc_provider_accepts_a_proof_of_each_request() {
    let Some(server) = oidc_provider::server().await else { return };
    let dpop = new_key();
    let api = Api::new(credentials(&server, "cc-dpop", &dpop));
    let url = server.get("API");
    let upper_case = url.replace("http", "HTTP");
    let with_query = format!("{url}?q=%2F&r=/b");
    for url in [url, &with_query, &upper_case, url, url] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let outcome = api.send(method.clone(), url, "body").await;
            outcome.expect(1);
            let echo = &outcome.echo;
            assert_eq!((&echo["method"], &echo["scheme"]), (&json!(method.as_str()), &json!("DPoP")), "{echo}");
            assert_eq!((&echo["body"], &echo["jkt"]), (&json!("body"), &json!(dpop.thumbprint())), "{echo}");
        }
    }
    server.expect_stats(json!({"client_credentials": 1}), json!({"200": 20})).await;
}

/// Each nonce is good for one request, and each response has the next.
#[tokio::test]
async fn oidc_provider_and_its_api_require_nonces() {
    let Some(server) = oidc_provider::server().await else { return };
    let api = Api::new(credentials(&server, "cc-dpop-nonce", &new_key()));
    let url = format!("{}-nonce", server.get("API"));
    let first = api.get_once(&url).await;
    assert_eq!((first.status, first.mark), (StatusCode::UNAUTHORIZED, Some(RejectionReason::Nonce)), "{first:?}");
    for _ in 0..5 {
        api.send(Method::POST, &url, "body").await.expect(1);
    }
    // The authorization server's nonce, and not that of the API.
    api.tokens.refresh().await.unwrap();
    api.get(&url).await.expect(1);

    // A nonce that this client does not know any more.
    let other = Api::new(credentials(&server, "cc-dpop-nonce", &new_key()));
    other.send(Method::POST, &url, "body").await.expect(2);
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"client_credentials": 3}), "{counts}");
    assert_eq!(counts["token_errors"], json!({"use_dpop_nonce": 2}), "{counts}");
    assert_eq!((&counts["api"], &counts["api_errors"]), (&json!({"200": 7, "401": 2}), &json!({"use_dpop_nonce": 2})));
}

/// Both endpoints are oidc-provider's own code. The token expires, and is refreshed with the key.
#[tokio::test]
async fn oidc_provider_requires_nonces_of_a_login_and_of_its_own_api() {
    let Some(server) = oidc_provider::server().await else { return };
    let api = Api::new(at_oidc_provider(&server, Client::public("native-dpop-nonce-short")).dpop(new_key()));
    let first = api.get(server.get("USERINFO")).await;
    first.expect(2);
    assert_eq!(first.echo["sub"], "alice");
    api.get(server.get("USERINFO")).await.expect(1);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    api.get(server.get("USERINFO")).await.expect(1);
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"authorization_code": 1, "refresh_token": 1}), "{counts}");
    assert_eq!(counts["token_errors"], json!({"use_dpop_nonce": 1}), "{counts}");
    assert_eq!(counts["other"]["GET /me"], 4, "{counts}");
}

#[tokio::test]
async fn oidc_provider_knows_the_key_of_the_token() {
    let Some(server) = oidc_provider::server().await else { return };
    let dpop = new_key();
    let token = tokens(credentials(&server, "cc-dpop", &dpop)).get().await.unwrap();
    let basic = Credentials::Basic("cc-dpop", "cc-dpop-secret");
    let (_, body) = post_token(server.get("INTROSPECTION"), basic, &token).await;
    assert_eq!((&body["token_type"], &body["cnf"]["jkt"]), (&json!("DPoP"), &json!(dpop.thumbprint())), "{body}");
}

/// The response passes, and the token stays: neither a newer token nor a repetition would help.
#[tokio::test]
async fn another_keys_proof_is_invalid_and_the_request_is_not_repeated() {
    let Some(server) = oidc_provider::server().await else { return };
    let of_another = tokens(credentials(&server, "cc-dpop", &new_key())).get().await.unwrap();

    // This token says which key it is bound to, and is not sent.
    let layer = OAuth2Layer::new(credentials(&server, "cc-dpop", &new_key()));
    layer.tokens().set(of_another.clone());
    let error = layer.layer(plain::client()).oneshot(get(server.get("API"))).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), ErrorKind::Proof);

    let api = Api::new(credentials(&server, "cc-dpop", &new_key()));
    let stolen = Token::dpop(of_another.access_token()).unwrap();
    api.tokens.set(stolen.clone());
    let outcome = api.get(server.get("API")).await;
    assert_eq!((outcome.status, outcome.mark, outcome.sends), (StatusCode::UNAUTHORIZED, None, 1), "{outcome:?}");
    assert_eq!(outcome.echo["error"], "invalid_dpop_proof");
    assert_eq!(api.tokens.peek().unwrap().access_token(), stolen.access_token());
    let counts = server.counts().await;
    assert_eq!((&counts["token_total"], &counts["api"]), (&json!(1), &json!({"401": 1})), "{counts}");
}

/// oidc-provider itself calls this `invalid_token`, so the layer obtains a token of its own.
#[tokio::test]
async fn another_keys_token_is_rejected_and_replaced() {
    let Some(server) = oidc_provider::server().await else { return };
    let login = || at_oidc_provider(&server, Client::public("native-dpop"));
    let of_another = tokens(login().dpop(new_key())).get().await.unwrap();
    let api = Api::new(login().relogin(true).dpop(new_key()));
    api.tokens.set(Token::dpop(of_another.access_token()).unwrap());
    // Once for the nonce, and once for the token.
    api.get(server.get("USERINFO")).await.expect(3);
    assert_ne!(api.tokens.peek().unwrap().access_token(), of_another.access_token());
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"authorization_code": 2}), "{counts}");
}

#[tokio::test]
async fn a_revoked_token_is_rejected_and_replaced() {
    let Some(server) = oidc_provider::server().await else { return };
    let api = Api::new(credentials(&server, "cc-dpop", &new_key()));
    api.get(server.get("API")).await.expect(1);
    let first = api.tokens.peek().unwrap();
    let client = Client::basic("cc-dpop", "cc-dpop-secret");
    let endpoint = RevocationEndpoint::new(server.get("REVOCATION"), client).unwrap();
    revoke(endpoint.clone(), &first).await;
    api.get(server.get("API")).await.expect(2);
    let second = api.tokens.peek().unwrap();
    assert_ne!(second.access_token(), first.access_token());

    revoke(endpoint, &second).await;
    let outcome = api.get_once(server.get("API")).await;
    assert_eq!((outcome.status, outcome.mark), (StatusCode::UNAUTHORIZED, Some(RejectionReason::Token)), "{outcome:?}");
    assert_eq!(outcome.echo["error"], "invalid_token");
    server.expect_stats(json!({"client_credentials": 2}), json!({"200": 2, "401": 2})).await;
}

#[tokio::test]
async fn authorize_and_observe_serve_requests_without_the_layer() {
    let Some(server) = oidc_provider::server().await else { return };
    let dpop = new_key();
    let tokens = tokens(credentials(&server, "cc-dpop", &dpop));
    let url = format!("{}-nonce", server.get("API"));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let mut request = get(&url);
        assert!(tokens.authorize(&mut request).await.unwrap());
        let uri = request.uri().clone();
        let response = plain::client().request(request).await.unwrap();
        dpop.observe(&uri, response.headers());
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [401, 200, 200]);
}

/// A token request that the program sends itself.
#[tokio::test]
async fn a_proof_without_a_token_serves_a_token_request() {
    let Some(server) = oidc_provider::server().await else { return };
    let dpop = new_key();
    let request = Request::post(server.get("TOKEN")).header("content-type", "application/x-www-form-urlencoded");
    let form = "grant_type=client_credentials&client_id=cc-post&client_secret=cc-post-secret&scope=api:read";
    let mut request = request.body(Full::from(form)).unwrap();
    let proof = dpop.proof(request.method(), request.uri(), None).await.unwrap();
    request.headers_mut().insert("dpop", proof);
    let (_, body) = send(plain::client(), request).await.unwrap();
    assert_eq!(body["token_type"], "DPoP", "{body}");

    let token = Token::dpop(body["access_token"].as_str().unwrap()).unwrap();
    let mut request = get(server.get("API"));
    let proof = dpop.proof(request.method(), request.uri(), Some(&token)).await.unwrap();
    let authorization = HeaderValue::try_from(format!("DPoP {}", token.access_token())).unwrap();
    request.headers_mut().extend([(AUTHORIZATION, authorization), (HeaderName::from_static("dpop"), proof)]);
    assert_eq!(send(plain::client(), request).await.unwrap().0, StatusCode::OK);
}

/// The userinfo of the second instance requires a nonce. It can be used again.
#[tokio::test]
async fn glewlwyd_accepts_proofs_with_and_without_a_nonce() {
    let Some(server) = glewlwyd::server().await else { return };
    for (instance, first_sends) in [("OIDC", 1), ("OIDC_NONCE", 2)] {
        let dpop = new_key();
        let login = at_glewlwyd(&server, instance, Client::public("native-rotate"));
        let api = Api::new(login.dpop(dpop.clone()));
        for sends in [first_sends, 1, 1] {
            api.get(server.api(instance)).await.expect(sends);
        }
        api.tokens.refresh().await.unwrap();
        api.get(server.api(instance)).await.expect(1);
    }
}
