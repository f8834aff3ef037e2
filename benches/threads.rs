//! Measures the requests per second of 1 to 8 threads that share one token. Each thread has a clone of the service, or clones
//! a shared service for each request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tower::{Layer, service_fn};
use tower_http::auth::AddAuthorizationLayer;
use tower_oauth2_benches::call_style::CallStyle;
use tower_oauth2_benches::table::{Columns, Table, one_decimal, two_decimals};
use tower_oauth2_benches::{Case, cases, no_op, timing};

/// Creates the case of one thread.
type Clones = Box<dyn Fn() -> Case>;

const THREADS: [usize; 4] = [1, 2, 4, 8];
/// A burst of a few milliseconds often runs without interruption even on a busy machine.
const BURSTS: usize = 200;
const BURST: Duration = Duration::from_millis(4);

fn main() {
    let header = AddAuthorizationLayer::bearer(&cases::token(64)).layer(service_fn(no_op::<Infallible>));
    let layer = cases::fresh(cases::token(64)).layer(service_fn(no_op::<Infallible>));
    let (shared_header, shared_layer) = (Arc::new(header.clone()), Arc::new(layer.clone()));
    let several: [Clones; 5] = [
        Box::new(|| Case::new(cases::NO_LAYER, service_fn(no_op::<Infallible>))),
        Box::new(move || Case::new(cases::STATIC, header.clone())),
        Box::new(move || Case::new(cases::LAYER, layer.clone())),
        Box::new(move || Case::cloned(cases::STATIC, CallStyle::ClonesOfUnpolled, shared_header.clone())),
        Box::new(move || Case::cloned(cases::LAYER, CallStyle::ClonesOfUnpolled, shared_layer.clone())),
    ];
    let mut best = [[0.0_f64; THREADS.len()]; 5];
    let bursts = several.each_ref().map(|clone| burst(clone()));
    // The best of many bursts, because other work can only slow a burst down. The cases are interleaved.
    for _ in 0..BURSTS {
        for (column, threads) in THREADS.into_iter().enumerate() {
            for (row, clone) in several.iter().enumerate() {
                let mut cases: Vec<Case> = (0..threads).map(|_| clone()).collect();
                let rate = timing::run_concurrently(&mut cases, bursts[row]);
                best[row][column] = best[row][column].max(rate);
            }
        }
    }
    let row = |(clone, rates): (&Clones, &[f64; 4])| {
        let mut values: Vec<f64> = rates.iter().map(|rate| rate / 1e6).collect();
        values.push(rates[1] / rates[0]);
        (clone().name, values)
    };
    let columns: Columns<'_> = &[
        ("1 thread", one_decimal),
        ("2 threads", one_decimal),
        ("4 threads", one_decimal),
        ("8 threads", one_decimal),
        ("2 threads × 1 thread", two_decimals),
    ];
    let table = Table { rows: several.iter().zip(&best).map(row).collect() };
    table.publish("threads", "million requests per second", columns);
}

/// The number of requests that one thread sends in a burst.
fn burst(mut case: Case) -> u32 {
    let requests = 10_000;
    (case.run)(requests);
    let start = Instant::now();
    (case.run)(requests);
    (f64::from(requests) * BURST.as_secs_f64() / start.elapsed().as_secs_f64()) as u32
}
