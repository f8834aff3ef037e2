//! Requests per second of 1 to 8 threads that share one token, each with a clone of the service.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tower::{Layer, service_fn};
use tower_http::auth::AddAuthorizationLayer;
use tower_oauth2_benches::table::{Columns, Table, one, two};
use tower_oauth2_benches::{Case, cases, no_op, timing};

type Clones = Box<dyn Fn(&str) -> Case>;

const THREADS: [usize; 4] = [1, 2, 4, 8];
/// A few milliseconds, which a thread may well have to itself on a busy machine too.
const BURSTS: usize = 200;
const BURST: Duration = Duration::from_millis(4);

fn main() {
    let header = AddAuthorizationLayer::bearer(&cases::token(64)).layer(service_fn(no_op::<Infallible>));
    let layer = cases::fresh(cases::token(64)).layer(service_fn(no_op::<Infallible>));
    let several: [(&str, Clones); 3] = [
        (cases::NO_LAYER, Box::new(|name| Case::new(name, service_fn(no_op::<Infallible>)))),
        (cases::STATIC, Box::new(move |name| Case::new(name, header.clone()))),
        (cases::LAYER, Box::new(move |name| Case::new(name, layer.clone()))),
    ];
    let mut best = [[0.0_f64; THREADS.len()]; 3];
    let bursts = several.each_ref().map(|(name, clone)| burst(clone(name)));
    // The best of several bursts, for others can only slow it down; and the cases take turns.
    for _ in 0..BURSTS {
        for (column, threads) in THREADS.into_iter().enumerate() {
            for (row, (name, clone)) in several.iter().enumerate() {
                let mut cases: Vec<Case> = (0..threads).map(|_| clone(name)).collect();
                let rate = timing::together(&mut cases, bursts[row]);
                best[row][column] = best[row][column].max(rate);
            }
        }
    }
    let row = |((name, _), rates): (&(&str, Clones), &[f64; 4])| {
        let mut values: Vec<f64> = rates.iter().map(|rate| rate / 1e6).collect();
        values.push(rates[1] / rates[0]);
        ((*name).to_owned(), values)
    };
    let columns: Columns<'_> =
        &[("1 thread", one), ("2 threads", one), ("4 threads", one), ("8 threads", one), ("2 threads × 1 thread", two)];
    let table = Table { rows: several.iter().zip(&best).map(row).collect() };
    table.publish("threads", "million requests per second", columns);
}

/// As many requests as one thread sends in a burst.
fn burst(mut case: Case) -> u32 {
    let requests = 10_000;
    (case.run)(requests);
    let began = Instant::now();
    (case.run)(requests);
    (f64::from(requests) * BURST.as_secs_f64() / began.elapsed().as_secs_f64()) as u32
}
