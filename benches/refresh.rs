//! Requests all the time, while each token lives for two seconds and the next takes 200 ms: does anyone wait?

use std::time::Duration;

use tower_oauth2_benches::herd::load;
use tower_oauth2_benches::sources::{self, Kind};
use tower_oauth2_benches::table::{Table, one, whole};

const TIME: Duration = Duration::from_secs(7);

fn main() {
    let row = |kind: Kind| {
        let load = load(&kind, TIME);
        let numbers = [load.requests, load.waited, load.failed, load.calls].map(|number| number as f64);
        (kind.name.to_owned(), [&numbers[..], &[load.longest]].concat())
    };
    let table = Table { rows: sources::all().into_iter().map(row).collect() };
    table.publish(
        "refresh",
        "8 tasks, 7 s",
        &[
            ("requests", whole),
            ("waited > 20 ms", whole),
            ("failed", whole),
            ("token calls", whole),
            ("longest, ms", one),
        ],
    );
}
