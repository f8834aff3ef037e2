//! D11: with a key, the server has to bind the token to it.

use serde_json::json;
use tower::ServiceExt;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::{bound, dpop};
use crate::support::{API_URL, answer, get, mock_service, pass, token, token_endpoint};

#[tokio::test(start_paused = true)]
async fn d11_a_token_of_another_type_is_malformed() {
    for token_type in [json!("Bearer"), json!("bearer"), json!("N_A"), json!("mac"), json!(""), json!(null)] {
        let body = json!({"access_token": "a", "token_type": token_type, "expires_in": 60});
        let (service, _forms) = token_endpoint(vec![answer(200, body)]);
        let error = OAuth2Layer::new(bound(dpop(1))).token_service(service).tokens().get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{token_type}");
    }
}

#[tokio::test(start_paused = true)]
async fn d11_the_type_is_dpop_in_any_case() {
    for token_type in ["DPoP", "dpop", "DPOP"] {
        let body = json!({"access_token": "a", "token_type": token_type, "expires_in": 60});
        let (service, _forms) = token_endpoint(vec![answer(200, body)]);
        let token = OAuth2Layer::new(bound(dpop(1))).token_service(service).tokens().get().await.unwrap();
        assert_eq!(token.token_type(), token_type);
    }
}

/// The new refresh token of a response that cannot be used is kept.
#[tokio::test(start_paused = true)]
async fn d11_a_refresh_token_beside_a_bearer_token_is_kept() {
    let first = json!({"access_token": "a", "token_type": "DPoP", "expires_in": 60, "refresh_token": "r1"});
    let second = json!({"access_token": "b", "token_type": "Bearer", "expires_in": 60, "refresh_token": "r2"});
    let third = json!({"access_token": "c", "token_type": "DPoP", "expires_in": 60});
    let (service, mut forms) = token_endpoint(vec![answer(200, first), answer(200, second), answer(200, third)]);
    let tokens = OAuth2Layer::new(bound(dpop(1))).token_service(service).tokens();
    tokens.get().await.unwrap();
    forms.recv().await.unwrap();
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::Malformed);
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "c");
    for sent in ["r1", "r2"] {
        assert!(forms.recv().await.unwrap().contains(&("refresh_token".to_owned(), sent.to_owned())), "{sent}");
    }
}

#[tokio::test(start_paused = true)]
async fn d11_a_bearer_token_that_is_allowed_is_sent_as_such() {
    let (service, mut server) = mock_service(&OAuth2Layer::new(bound(dpop(1).dangerous_allow_bearer())));
    for (round, token) in ["a", "b"].into_iter().zip([token("a", 60), json!({"access_token": "b", "expires_in": 60})]) {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        server.issue_token(token).await;
        assert_eq!(server.next_authorization().await, Some(format!("Bearer {round}")));
        sent.await.unwrap().unwrap();
        pass(std::time::Duration::from_secs(60)).await;
    }
}
