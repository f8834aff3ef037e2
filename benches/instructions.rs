//! Instructions of one request on the hot path, by callgrind: the same on a busy machine and on an idle one. Needs valgrind.
//!
//! ```text
//! cargo bench --manifest-path benches/Cargo.toml --no-default-features --bench instructions
//! ```
//!
//! Without the default features the peers are neither built nor measured. `BENCH_CALLGRIND` names a folder to keep
//! callgrind's files in, one for each case, for `callgrind_annotate`.

use tower_oauth2_benches::table::{Table, signed, two, whole};
use tower_oauth2_benches::{callgrind, cases};

fn main() {
    let counts = callgrind::count(cases::all);
    let of = |name| counts.iter().find(|(case, _)| case == name).expect("it was measured").1;
    let (none, header) = (of(cases::NO_LAYER), of(cases::STATIC));
    let row = |(name, count): &(String, f64)| {
        let over = count - none;
        (name.clone(), vec![*count, over, over / (header - none)])
    };
    let table = Table { rows: counts.iter().map(row).collect() };
    table.publish(
        "instructions",
        "instructions of one request",
        &[("all", whole), ("more than no layer", signed), ("× static header", two)],
    );
}
