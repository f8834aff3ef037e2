//! The time of one whole request on the hot path, side by side.

use tower_oauth2_benches::cases;
use tower_oauth2_benches::table::{Table, one, three};
use tower_oauth2_benches::timing::{self, Timing};

fn main() {
    let timings = timing::compare(cases::all, cases::STATIC);
    let row = |timing: Timing| (timing.name, vec![timing.nanoseconds, timing.ratio]);
    let table = Table { rows: timings.into_iter().map(row).collect() };
    table.publish("time", "time of one request", &[("ns", one), ("× static header", three)]);
}
