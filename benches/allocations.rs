//! What a request allocates on the hot path, and what a layer and a waiting request keep.

use std::convert::Infallible;
use std::task::{Context, Poll, Waker};

use allocation_counter::{AllocationInfo, measure};
use tower::{Layer, Service, service_fn};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, OAuth2Layer, Token};
use tower_oauth2_benches::table::{Table, one, whole};
use tower_oauth2_benches::{Body, Case, cases, no_op};

const REQUESTS: u32 = 1000;
const WAITING: usize = 10_000;

fn main() {
    let mut cases = cases::all();
    let counts: Vec<AllocationInfo> = cases.iter_mut().map(per_request).collect();
    let none = &counts[0];
    let row = |(case, count): (&Case, &AllocationInfo)| {
        let more = (count.count_total - none.count_total) as f64 / f64::from(REQUESTS);
        let bytes = (count.bytes_total - none.bytes_total) as f64 / f64::from(REQUESTS);
        (case.name.clone(), vec![more, bytes])
    };
    let table = Table { rows: cases.iter().zip(&counts).map(row).collect() };
    table.publish("allocations", "one request, more than with no layer", &[("allocations", one), ("bytes", whole)]);
    Table { rows: kept() }.publish("memory", "what is kept", &[("bytes", whole), ("allocations", one)]);
}

fn per_request(case: &mut Case) -> AllocationInfo {
    (case.run)(20);
    measure(|| (case.run)(REQUESTS))
}

/// Each with the bytes in it and on the heap for it, and the number of allocations.
fn kept() -> Vec<(String, Vec<f64>)> {
    type Layered<G> = <OAuth2Layer<G> as Layer<Inner>>::Service;
    fn size_of_layered<G>(_: &OAuth2Layer<G>) -> usize
    where
        OAuth2Layer<G>: Layer<Inner>,
    {
        size_of::<Layered<G>>()
    }

    let mut layer = None;
    let one_layer = measure(|| layer = Some(never()));
    let layer = layer.expect("it was made");
    let service_size = size_of_layered(&layer);

    let inner: Inner = service_fn(no_op::<Infallible>);
    let service = layer.layer(inner);
    // The first one begins the flight, which is not what one that waits keeps.
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
            "a layer, without its token".into(),
            vec![one_layer.bytes_current as f64 + size_of_val(&layer) as f64, one_layer.count_current as f64],
        ),
        ("a service of it, or a clone".into(), vec![service_size as f64, 0.0]),
        (
            "a request that waits for a token, its service included".into(),
            vec![service_size as f64 + each(all.bytes_current as f64), each(all.count_current as f64)],
        ),
    ]
}

type Inner =
    tower::util::ServiceFn<fn(http::Request<Body>) -> std::future::Ready<Result<http::Response<Body>, Infallible>>>;

fn never() -> OAuth2Layer<impl tower_oauth2::grant::Grant> {
    OAuth2Layer::new(async |_: Option<Token>, _: Transport| -> Result<Token, Error> { std::future::pending().await })
}

fn is_ready<S: Service<http::Request<Body>>>(service: &mut S) -> bool {
    matches!(service.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(_))
}
