//! Measures whether requests wait during refreshes: each token expires after two seconds, and a token request takes 200 ms.

use std::time::Duration;

use tower_oauth2_benches::herd::load;
use tower_oauth2_benches::sources::{self, Kind};
use tower_oauth2_benches::table::{Table, integer, one_decimal};

const TIME: Duration = Duration::from_secs(7);

fn main() {
    let row = |kind: Kind| {
        let load = load(&kind, TIME);
        let numbers = [load.requests, load.waited, load.failed, load.token_requests].map(|number| number as f64);
        (kind.name.to_owned(), [&numbers[..], &[load.max_wait]].concat())
    };
    let table = Table { rows: sources::all().into_iter().map(row).collect() };
    table.publish(
        "refresh",
        "8 tasks, 7 s",
        &[
            ("requests", integer),
            ("waited > 20 ms", integer),
            ("failed", integer),
            ("token requests", integer),
            ("max, ms", one_decimal),
        ],
    );
}
