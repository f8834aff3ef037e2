//! What a login is for: the API answers, before and after the first token has really expired.

use std::time::Duration;

use http::StatusCode;
use tower::Layer;
use tower_oauth2::{OAuth2Layer, Token, grant::Grant};

use crate::plain::{self, bare, get, send};

/// Calls each API with a token of two seconds and with the next; both tokens of each. One after the other, for not every server
/// bears two logins at once, but they wait together.
pub(crate) async fn outlive<const N: usize>(logins: [(impl Grant, &str); N]) -> [(Token, Token); N] {
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
        assert_eq!(bare(api, &first).await, StatusCode::UNAUTHORIZED, "it has really expired");
        let (status, body) = send(service.clone(), get(api)).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{body}");
        let second = service.tokens().peek().unwrap();
        assert_ne!(first.access_token(), second.access_token());
        tokens.push((first, second));
    }
    tokens.try_into().unwrap()
}

/// The server has given another refresh token.
pub(crate) fn expect_rotation((first, second): &(Token, Token)) {
    assert!(first.refresh_token().is_some() && second.refresh_token().is_some());
    assert_ne!(first.refresh_token(), second.refresh_token());
}

/// The refresh token has outlived the access token.
pub(crate) fn expect_the_same((first, second): &(Token, Token)) {
    assert!(first.refresh_token().is_some());
    assert_eq!(first.refresh_token(), second.refresh_token());
}
