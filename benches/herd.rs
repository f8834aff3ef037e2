//! Measures simultaneous requests without a token, with a token endpoint that takes 50 ms, and with an unavailable one.

use tower_oauth2_benches::herd::{LATENCY, herd};
use tower_oauth2_benches::sources::{self, Kind};
use tower_oauth2_benches::table::{Columns, Table, integer, one_decimal, two_decimals};
use tower_oauth2_benches::timing::milliseconds;
use tower_oauth2_benches::token_server::EndpointResponse;

const SIZES: [usize; 4] = [1, 100, 10_000, 100_000];

fn main() {
    let sizes = || SIZES.into_iter().map(|size| (size, EndpointResponse::Token(3600)));
    let failing = SIZES.into_iter().map(|size| (size, EndpointResponse::Unavailable));
    let rows = sizes().chain(failing).map(|(size, response)| {
        let (name, values) = row(&sources::LAYER, size, response);
        (format!("{name}, {}{}", integer(size as f64), suffix(response)), values)
    });
    let columns: Columns<'_> = &[
        ("token requests", integer),
        ("ms until all have ended", one_decimal),
        ("× latency", two_decimals),
        ("failed", integer),
    ];
    Table { rows: rows.collect() }.publish("herd", "simultaneous requests", columns);

    let herds = || sources::all().into_iter().filter(|kind| kind.herd);
    let rows = herds().map(|kind| row(&kind, 100, EndpointResponse::Token(3600))).collect();
    Table { rows }.publish("herd-peers", "100 simultaneous requests", columns);
    let rows = herds().map(|kind| row(&kind, 100, EndpointResponse::Unavailable)).collect();
    Table { rows }.publish("herd-failing", "100 simultaneous requests, endpoint unavailable", columns);
}

fn row(kind: &Kind, size: usize, response: EndpointResponse) -> (String, Vec<f64>) {
    // The best of three: other work on the machine can only slow a run down.
    let herds = (0..3).map(|_| herd(kind, size, response));
    let herd = herds.min_by(|one, other| one.milliseconds.total_cmp(&other.milliseconds)).expect("there are three");
    let times = herd.milliseconds / milliseconds(LATENCY);
    (kind.name.to_owned(), vec![herd.token_requests as f64, herd.milliseconds, times, herd.failed as f64])
}

fn suffix(response: EndpointResponse) -> &'static str {
    match response {
        EndpointResponse::Token(_) | EndpointResponse::BoundToken(_) => "",
        EndpointResponse::Unavailable => ", endpoint unavailable",
    }
}
