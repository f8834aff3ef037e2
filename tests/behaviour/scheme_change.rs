//! A new authorization scheme applies to the next request, also with the token in use.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_oauth2::grant::{self, grant_fn};
use tower_oauth2::{OAuth2Layer, Token};

use crate::support::{API_URL, Body, answer, authorization, get};

/// The scheme is changed on a clone of a layer in use. The header of the same token changes.
#[test]
fn the_next_request_has_the_new_scheme() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let layer = OAuth2Layer::new(grant_fn(async |_: grant::Context| Token::bearer("unused")));
    layer.tokens().set(Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(3600)));
    let header = Arc::new(std::sync::Mutex::new(String::new()));
    let api = {
        let header = header.clone();
        service_fn(move |request: Request<Body>| {
            *header.lock().unwrap() = authorization(&request).unwrap().to_owned();
            async { Ok::<_, Infallible>(answer(200, "")) }
        })
    };
    let mut service = layer.layer(api);
    let mut send = |times: usize| {
        for _ in 0..times {
            let response = runtime.block_on(async { service.ready().await.unwrap().call(get(API_URL)).await.unwrap() });
            assert_eq!(response.status(), 200);
        }
        header.lock().unwrap().clone()
    };
    assert_eq!(send(5), "Bearer a");
    let layer = layer.authorization_scheme("DPoP").unwrap();
    assert_eq!(send(1), "DPoP a");
    assert_eq!(send(5), "DPoP a");
    drop(layer);
}
