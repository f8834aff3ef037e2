//! Measures DPoP proofs per second, the time of a request with a proof, beside the signature alone, and requests per second of two
//! threads with one key.

use std::time::{Duration, Instant};

use tower_oauth2_benches::signing::Algorithm;
use tower_oauth2_benches::table::{Columns, Table, integer, one_decimal, two_decimals};
use tower_oauth2_benches::{Case, proofs, timing};

const ROUNDS: usize = 1000;
/// The requests of one burst: a fraction of a millisecond.
const REQUESTS: u32 = 10;
const THREADS: [usize; 2] = [1, 2];
/// A burst of a few milliseconds often runs without interruption even on a busy machine.
const BURSTS: usize = 200;
const BURST: Duration = Duration::from_millis(4);

/// Creates the case of one thread.
type Clones = Box<dyn Fn() -> Case>;

fn main() {
    let rows = Algorithm::PROOFS.into_iter().flat_map(|algorithm| {
        let row = |(case, nanoseconds, ratio): (String, f64, f64)| (case, vec![1e9 / nanoseconds, ratio]);
        measured(proofs::cases(algorithm), algorithm.burst()).into_iter().map(row)
    });
    let columns: Columns<'_> = &[("per second", integer), ("× signature alone", two_decimals)];
    Table { rows: rows.collect() }.publish("dpop-proofs", "DPoP proofs", columns);

    let row = |(case, nanoseconds, ratio): (String, f64, f64)| (case, vec![nanoseconds / 1e3, ratio]);
    let rows = measured(proofs::requests(), REQUESTS).into_iter().map(row).collect();
    let columns: Columns<'_> = &[("µs", one_decimal), ("× signature alone", two_decimals)];
    Table { rows }.publish("dpop", "one request with a proof, ES256", columns);

    let columns: Columns<'_> = &[("1 thread", integer), ("2 threads", integer), ("2 threads × 1 thread", two_decimals)];
    Table { rows: threads() }.publish("dpop-threads", "requests with a proof per second, ES256", columns);
}

/// Returns the name of each case, its nanoseconds, and their ratio to the first case.
fn measured(mut cases: Vec<Case>, burst: u32) -> Vec<(String, f64, f64)> {
    let references = vec![0; cases.len()];
    let timings = timing::interleave(&mut cases, &references, ROUNDS, burst);
    cases.into_iter().zip(timings).map(|(case, (nanoseconds, ratio))| (case.name, nanoseconds, ratio)).collect()
}

/// Measures threads that share one key, one token and one nonce, each with a clone of the service.
fn threads() -> Vec<(String, Vec<f64>)> {
    let (service, with_nonce) = (proofs::service(), proofs::service_with_nonce());
    let several: [Clones; 3] = [
        Box::new(proofs::signature),
        Box::new(move || Case::new(proofs::REQUEST, service.clone())),
        Box::new(move || Case::new(proofs::REQUEST_WITH_NONCE, with_nonce.clone())),
    ];
    let mut best = [[0.0_f64; THREADS.len()]; 3];
    let bursts = several.each_ref().map(|clone| burst(clone()));
    // The best of many bursts, because other work can only slow a burst down. The cases are interleaved.
    for _ in 0..BURSTS {
        for (column, threads) in THREADS.into_iter().enumerate() {
            for (row, clone) in several.iter().enumerate() {
                let mut cases: Vec<Case> = (0..threads).map(|_| clone()).collect();
                best[row][column] = best[row][column].max(timing::run_concurrently(&mut cases, bursts[row]));
            }
        }
    }
    let row = |(clone, [one, two]): (&Clones, &[f64; 2])| (clone().name, vec![*one, *two, two / one]);
    several.iter().zip(&best).map(row).collect()
}

/// The number of requests that one thread sends in a burst.
fn burst(mut case: Case) -> u32 {
    let requests = 100;
    (case.run)(requests);
    let start = Instant::now();
    (case.run)(requests);
    (f64::from(requests) * BURST.as_secs_f64() / start.elapsed().as_secs_f64()) as u32
}
