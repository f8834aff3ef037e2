//! A grant that calls the API with the token that it replaces.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::{OAuth2Layer, Token};

use super::in_memory;
use crate::support::{API_URL, Body, answer, authorization, get, pass};

/// With a key in memory, a grant can call the API with the token in use, as with a Bearer token.
#[tokio::test(start_paused = true)]
async fn a_grant_may_send_a_request_with_the_token_in_use() {
    let inner = service_fn(async |request: http::Request<Body>| {
        assert_eq!(authorization(&request), Some("DPoP a"));
        assert!(request.headers().contains_key("dpop"));
        Ok::<_, std::convert::Infallible>(answer(200, ""))
    });
    let own = Arc::new(OnceLock::<BoxCloneSyncService<http::Request<Body>, http::Response<Body>, BoxError>>::new());
    let service = own.clone();
    let grant = grant_fn(move |_: Context| {
        let service = service.get().unwrap().clone();
        async move {
            let response = service.oneshot(get(API_URL)).await.unwrap();
            assert_eq!(response.status(), 200);
            Token::dpop("b")
        }
    });
    let layer = OAuth2Layer::new(grant.dpop(in_memory()));
    layer.tokens().set(Token::dpop("a").unwrap().with_expires_in(Duration::from_secs(3600)));
    assert!(own.set(BoxCloneSyncService::new(layer.layer(inner))).is_ok());
    assert_eq!(own.get().unwrap().clone().oneshot(get(API_URL)).await.unwrap().status(), 200);
    pass(Duration::from_secs(1)).await;
    assert_eq!(layer.tokens().refresh().await.unwrap().access_token(), "b");
}
