//! A request that must not carry the token starts no refresh.

use std::time::Duration;

use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{BoxGrant, ClientCredentials, Grant};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{TOKEN_URL, get, mock_service, ours, pass};

#[tokio::test(start_paused = true)]
async fn there_is_no_attempt_and_the_token_is_kept() {
    let grant = || ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap();
    let grants: [BoxGrant; 2] = [grant().boxed(), grant().persisted(MemoryStore::new()).boxed()];
    for grant in grants {
        let layer = OAuth2Layer::new(grant);
        let bound = layer.clone().origin("https://api.example.com").unwrap().deny_other_origins();
        let token = Token::bearer("a").unwrap().with_refresh_token("r1").with_expires_in(Duration::from_secs(3600));
        layer.tokens().set(token.clone());
        for (layer, uri, kind) in [
            (layer, "http://api.example.com/", ErrorKind::Cleartext),
            (bound, "https://other.example.com/", ErrorKind::OriginDenied),
        ] {
            let (service, mut server) = mock_service(&layer);
            let error = ours(service.oneshot(get(uri)).await.unwrap_err());
            assert_eq!((error.kind(), error.retry_at()), (kind, None));
            pass(super::LATER).await;
            server.assert_no_request().await;
            assert_eq!(layer.tokens().peek().as_ref(), Some(&token));
        }
    }
}
