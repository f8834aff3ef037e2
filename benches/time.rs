//! Measures the time of one whole request on the hot path.

mod clones;

use tower_oauth2_benches::cases;
use tower_oauth2_benches::table::{Table, one_decimal, three_decimals};
use tower_oauth2_benches::timing;

fn main() {
    let timings = timing::compare(|| [cases::all(), clones::cases()].into_iter().flatten().collect(), cases::STATIC);
    for (name, about, clones) in
        [("time", "time of one request", false), ("time-clones", "time of one request, through a clone", true)]
    {
        let timings = timings.iter().filter(|timing| timing.call_style.are_clones() == clones);
        let rows = timings.map(|timing| (timing.name.clone(), vec![timing.nanoseconds, timing.ratio])).collect();
        Table { rows }.publish(name, about, &[("ns", one_decimal), ("× static header", three_decimals)]);
    }
}
