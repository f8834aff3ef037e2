//! Measures signed client assertions per second, beside the signature alone over as many bytes.

use tower_oauth2_benches::signing::{self, Algorithm};
use tower_oauth2_benches::table::{Table, integer, two_decimals};
use tower_oauth2_benches::{Case, timing};

const ROUNDS: usize = 1000;

fn main() {
    let rows = Algorithm::ASSERTIONS.into_iter().flat_map(|algorithm| {
        let mut cases = signing::cases(algorithm);
        let references = vec![0; cases.len()];
        let timings = timing::interleave(&mut cases, &references, ROUNDS, algorithm.burst());
        let row = |(case, (nanoseconds, ratio)): (Case, (f64, f64))| (case.name, vec![1e9 / nanoseconds, ratio]);
        cases.into_iter().zip(timings).map(row)
    });
    let table = Table { rows: rows.collect() };
    table.publish(
        "signing",
        "signed client assertions",
        &[("per second", integer), ("× signature alone", two_decimals)],
    );
}
