//! Counts the instructions of one request on the hot path with callgrind. The load of the machine does not affect them. Needs valgrind.
//!
//! ```text
//! cargo bench --manifest-path benches/Cargo.toml --no-default-features --bench instructions
//! ```
//!
//! Without the default features the peer crates are neither built nor measured. `BENCH_CALLGRIND` names a folder in which
//! callgrind's files are kept, one for each case, for `callgrind_annotate`.

mod clones;

use tower_oauth2_benches::callgrind::Count;
use tower_oauth2_benches::table::{Columns, Table, integer, signed, two_decimals};
use tower_oauth2_benches::{callgrind, cases};

fn main() {
    let counts = callgrind::count(|| [cases::all(), clones::cases()].into_iter().flatten().collect());
    let of = |name: String| counts.iter().find(|count| count.name == name).expect("it was measured").instructions;
    // Both have the call style of the case.
    let row = |count: &Count| {
        let [none, header] = [cases::NO_LAYER, cases::STATIC].map(|name| of(count.call_style.name(name)));
        let over = count.instructions - none;
        (count.name.clone(), vec![count.instructions, over, over / (header - none)])
    };
    for (name, about, clones) in [
        ("instructions", "instructions of one request", false),
        ("instructions-clones", "instructions of one request, through a clone", true),
    ] {
        let rows = counts.iter().filter(|count| count.call_style.are_clones() == clones).map(row).collect();
        let columns: Columns<'_> =
            &[("all", integer), ("more than no layer", signed), ("× static header", two_decimals)];
        Table { rows }.publish(name, about, columns);
    }
}
