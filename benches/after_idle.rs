//! Measures the time of one request after 160 ms without requests.

mod idle;

use std::time::Instant;

use tower_oauth2_benches::cases;
use tower_oauth2_benches::table::{Table, integer, two_decimals};
use tower_oauth2_benches::timing::{median, references};

const ROUNDS: usize = 31;

fn main() {
    let runtime = idle::runtime();
    let _inside = runtime.enter();
    let mut cases = idle::cases();
    let mut times = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for _ in 0..ROUNDS {
        for (case, times) in cases.iter_mut().zip(&mut times) {
            idle::wait();
            let start = Instant::now();
            (case.run)(1);
            times.push(start.elapsed().as_secs_f64() * 1e9);
        }
    }
    // Not the median of ratios within a round: a round takes a second, so a disturbance affects single cases.
    let medians: Vec<f64> = times.into_iter().map(median).collect();
    let references = references(&cases, cases::STATIC);
    let row = |(case, reference): (usize, usize)| {
        (cases[case].name.clone(), vec![medians[case], medians[case] / medians[reference]])
    };
    let table = Table { rows: references.into_iter().enumerate().map(row).collect() };
    table.publish(
        "after-idle",
        "one request after 160 ms without requests",
        &[("ns", integer), ("× static header", two_decimals)],
    );
}
