//! Requests at one moment, on an empty cache, with a token endpoint that takes 50 ms; and with one that is out of order.

use tower_oauth2_benches::herd::{LATENCY, herd};
use tower_oauth2_benches::sources::{self, Kind};
use tower_oauth2_benches::table::{Columns, Table, one, two, whole};
use tower_oauth2_benches::timing::milliseconds;
use tower_oauth2_benches::token_server::Answer;

const SIZES: [usize; 4] = [1, 100, 10_000, 100_000];

fn main() {
    let sizes = || SIZES.into_iter().map(|size| (size, Answer::Token(3600)));
    let failing = SIZES.into_iter().map(|size| (size, Answer::Unavailable));
    let rows = sizes().chain(failing).map(|(size, answer)| {
        let (name, values) = row(&sources::LAYER, size, answer);
        (format!("{name}, {}{}", whole(size as f64), said(answer)), values)
    });
    let columns: Columns<'_> =
        &[("token calls", whole), ("ms until all are told", one), ("× latency", two), ("failed", whole)];
    Table { rows: rows.collect() }.publish("herd", "requests at once", columns);

    let herds = || sources::all().into_iter().filter(|kind| kind.herd);
    let rows = herds().map(|kind| row(&kind, 100, Answer::Token(3600))).collect();
    Table { rows }.publish("herd-peers", "100 requests at once", columns);
    let rows = herds().map(|kind| row(&kind, 100, Answer::Unavailable)).collect();
    Table { rows }.publish("herd-failing", "100 requests at once, endpoint out of order", columns);
}

fn row(kind: &Kind, size: usize, answer: Answer) -> (String, Vec<f64>) {
    // The best of three: other work on the machine can only slow it down.
    let herds = (0..3).map(|_| herd(kind, size, answer));
    let herd = herds.min_by(|one, other| one.milliseconds.total_cmp(&other.milliseconds)).expect("there are three");
    let times = herd.milliseconds / milliseconds(LATENCY);
    (kind.name.to_owned(), vec![herd.calls as f64, herd.milliseconds, times, herd.failed as f64])
}

fn said(answer: Answer) -> &'static str {
    match answer {
        Answer::Token(_) => "",
        Answer::Unavailable => ", endpoint out of order",
    }
}
