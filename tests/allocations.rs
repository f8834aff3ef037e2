//! With a fresh token, a request allocates no more than `tower_http`'s `AddAuthorization` does with a static one.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_http::auth::AddAuthorizationLayer;
use tower_oauth2::{OAuth2Layer, Token, transport::Transport};

type Body = Full<Bytes>;

fn no_op(request: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    drop(request);
    ready(Ok(Response::new(Body::default())))
}

/// What `poll_ready`, `call` and the response of one request allocate, the request itself aside.
fn allocations<S: Service<Request<Body>>>(service: &mut S) -> u64 {
    let mut cx = Context::from_waker(Waker::noop());
    let mut request = Some(Request::get("https://api.example.com/").body(Body::default()).unwrap());
    let counted = measure(|| {
        assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
        if let Some(request) = request.take() {
            let response = std::pin::pin!(service.call(request));
            assert!(matches!(response.poll(&mut cx), Poll::Ready(Ok(_))));
        }
    });
    counted.count_total
}

#[test]
fn a_request_with_a_fresh_token_allocates_no_more_than_one_with_a_static_header() {
    let static_header = {
        let mut service = AddAuthorizationLayer::bearer("2YotnFZFEjr1zCsicMWpAA").layer(service_fn(no_op));
        (0..100).map(|_| allocations(&mut service)).max()
    };
    assert!(static_header > Some(0), "the counter counts: the header map of a request is allocated");

    let layers = [|layer: OAuth2Layer<_>| Ok(layer), |layer: OAuth2Layer<_>| layer.origin("https://api.example.com")];
    for configure in layers {
        let layer = OAuth2Layer::new(async |_: Option<Token>, _: Transport| Token::bearer("unused"));
        let layer = configure(layer).unwrap();
        // The first request connects the handles, so it is not counted.
        let mut service = layer.layer(service_fn(no_op));
        let token = Token::bearer("2YotnFZFEjr1zCsicMWpAA").unwrap();
        service.tokens().set(token.with_expires_in(Duration::from_secs(3600)));
        allocations(&mut service);
        assert!((0..100).map(|_| allocations(&mut service)).max() <= static_header);
        // A clone, as clients are used: what it costs is the inner service's clone and two counters.
        assert!((0..100).map(|_| allocations(&mut service.clone())).max() <= static_header);
    }
}
