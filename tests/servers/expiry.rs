//! Requests to the API before and after the first token has expired.

use std::time::Duration;

use http::StatusCode;
use tower::Layer;
use tower_oauth2::{OAuth2Layer, Token, grant::Grant};

use crate::plain::{self, get, send, send_with_token};

/// Calls each API with a token of two seconds and with the next one, and returns both tokens. The logins run one after the
/// other, because not every server supports simultaneous logins; the wait for the expiry is shared.
pub(crate) async fn use_past_expiry<const N: usize>(logins: [(impl Grant, &str); N]) -> [(Token, Token); N] {
    let services = logins.map(|(grant, api)| (OAuth2Layer::new(grant).layer(plain::client()), api));
    let mut firsts = Vec::new();
    for (service, api) in &services {
        let (status, body) = send(service.clone(), get(api)).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{body}");
        firsts.push(service.tokens().peek().unwrap());
    }

    tokio::time::sleep(Duration::from_millis(2500)).await;

    let mut tokens = Vec::new();
    for ((service, api), first) in services.iter().zip(firsts) {
        assert_eq!(send_with_token(api, &first).await, StatusCode::UNAUTHORIZED, "the token has expired");
        let (status, body) = send(service.clone(), get(api)).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{body}");
        let second = service.tokens().peek().unwrap();
        assert_ne!(first.access_token(), second.access_token());
        tokens.push((first, second));
    }
    tokens.try_into().unwrap()
}

/// Asserts that the server has rotated the refresh token.
pub(crate) fn expect_rotation((first, second): &(Token, Token)) {
    assert!(first.refresh_token().is_some() && second.refresh_token().is_some());
    assert_ne!(first.refresh_token(), second.refresh_token());
}

/// Asserts that the refresh token is unchanged.
pub(crate) fn expect_same_refresh_token((first, second): &(Token, Token)) {
    assert!(first.refresh_token().is_some());
    assert_eq!(first.refresh_token(), second.refresh_token());
}
