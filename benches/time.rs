//! The time of one whole request on the hot path, side by side.

use tower_oauth2_benches::table::{Table, one, three};
use tower_oauth2_benches::{cases, timing};

fn main() {
    let mut cases = cases::all();
    let reference = cases.iter().position(|case| case.name == cases::STATIC).expect("it is among them");
    let timings = timing::take_turns(&mut cases, reference);
    let row = |(case, timing): (&tower_oauth2_benches::Case, &timing::Timing)| {
        (case.name.clone(), vec![timing.nanoseconds, timing.ratio])
    };
    let table = Table { rows: cases.iter().zip(&timings).map(row).collect() };
    table.publish("time", "time of one request", &[("ns", one), ("× static header", three)]);
}
