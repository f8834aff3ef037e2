//! Measures the memory of idle token cells, as an average, and what remains after they are dropped. A program may have one cell per user.

use std::convert::Infallible;

use allocation_counter::{AllocationInfo, measure};
use tower::{Layer, service_fn};
use tower_oauth2::OAuth2Layer;
use tower_oauth2_benches::{cases, no_op, send};

const CELLS: usize = 1000;

/// Each row has the bytes, including the layer and the service themselves, and the number of allocations.
pub(super) fn rows() -> Vec<(String, Vec<f64>)> {
    let idle = || {
        let layer = cases::fresh(cases::token(64));
        let mut service = layer.layer(service_fn(no_op::<Infallible>));
        send(&mut service);
        (layer, service)
    };
    let without_token = || OAuth2Layer::new(cases::no_token());
    // All cells exist at one time, so that none reuses the memory of another.
    let round = || {
        let (with_token, idle) = retained(idle);
        let (without_token, unused) = retained(without_token);
        let mut leaked = measure(|| drop((idle, unused)));
        leaked += with_token;
        leaked += without_token;
        (with_token, without_token, leaked)
    };
    let (with_token, without_token, leaked) = round();
    let (_, _, leaked_again) = round();
    let values = |count: AllocationInfo, by: usize| {
        vec![count.bytes_current as f64 / by as f64, count.count_current as f64 / by as f64]
    };
    vec![
        ("layer without a token, average of 1000".into(), values(without_token, CELLS)),
        ("layer, service and token of 64 B after a request, average of 1000".into(), values(with_token, CELLS)),
        ("remaining after these 2000 were dropped".into(), values(leaked, 1)),
        ("remaining after 2000 more were dropped".into(), values(leaked_again, 1)),
    ]
}

/// Creates the cells and measures the memory of all of them.
fn retained<T>(cell: impl Fn() -> T) -> (AllocationInfo, Vec<T>) {
    let mut cells = Vec::new();
    let retained = measure(|| cells = (0..CELLS).map(|_| cell()).collect());
    (retained, cells)
}
