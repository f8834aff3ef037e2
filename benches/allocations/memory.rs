//! Measures the memory of a layer, a service and a waiting request.

use std::convert::Infallible;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use tower::{Layer, Service, service_fn};
use tower_oauth2::OAuth2Layer;
use tower_oauth2_benches::{Body, cases, no_op};

const WAITING: usize = 10_000;

/// Each row has the bytes, of the value itself and on the heap, and the number of allocations.
pub(super) fn rows() -> Vec<(String, Vec<f64>)> {
    type Layered<G> = <OAuth2Layer<G> as Layer<Inner>>::Service;
    fn size_of_layered<G>(_: &OAuth2Layer<G>) -> usize
    where
        OAuth2Layer<G>: Layer<Inner>,
    {
        size_of::<Layered<G>>()
    }

    let mut layer = None;
    let one_layer = measure(|| layer = Some(OAuth2Layer::new(cases::no_token())));
    let layer = layer.expect("the layer was created");
    let service_size = size_of_layered(&layer);

    let inner: Inner = service_fn(no_op::<Infallible>);
    let service = layer.layer(inner);
    // The first one starts the refresh task, which does not count for a waiter.
    let mut first = service.clone();
    assert!(!is_ready(&mut first));
    let mut waiting = Vec::with_capacity(WAITING);
    let all = measure(|| {
        for _ in 0..WAITING {
            let mut service = service.clone();
            assert!(!is_ready(&mut service));
            waiting.push(service);
        }
    });
    let each = |total: f64| total / WAITING as f64;
    vec![
        (
            "layer, without a token".into(),
            vec![one_layer.bytes_current as f64 + size_of_val(&layer) as f64, one_layer.count_current as f64],
        ),
        ("service, or a clone of it".into(), vec![service_size as f64, 0.0]),
        (
            "request that waits for a token, with its service".into(),
            vec![service_size as f64 + each(all.bytes_current as f64), each(all.count_current as f64)],
        ),
    ]
}

type Inner =
    tower::util::ServiceFn<fn(http::Request<Body>) -> std::future::Ready<Result<http::Response<Body>, Infallible>>>;

fn is_ready<S: Service<http::Request<Body>>>(service: &mut S) -> bool {
    matches!(service.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(_))
}
