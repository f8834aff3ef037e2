//! One and two threads that send the requests of one key, or of 10 000 keys.

use std::convert::Infallible;

use tower::{Layer, service_fn};
use tower_oauth2_benches::table::{Columns, Table, two_decimals};
use tower_oauth2_benches::tenants::{fresh, keys};
use tower_oauth2_benches::{Case, cases, no_op, timing};

use super::tenant_cases::case;

/// The requests of all threads in a burst. The best of many bursts counts, because other work can only slow a burst down.
const REQUESTS: u32 = 100_000;
const BURSTS: usize = 60;
const THREADS: [u32; 2] = [1, 2];

/// Creates the case of a thread.
type MakeCase = Box<dyn Fn(u32) -> Case>;

pub(super) fn run() {
    let inner = || service_fn(no_op::<Infallible>);
    let (one, many) = (keys(1), keys(10_000));
    let one_token = cases::fresh(cases::token(64)).layer(inner());
    let (of_one, of_many) = (fresh(&one).layer(inner()), fresh(&many).layer(inner()));
    let all: [(&str, MakeCase); 3] = [
        (
            "`OAuth2Layer`",
            Box::new({
                let one = one.clone();
                move |_| case("", &one, one_token.clone())
            }),
        ),
        ("**`TenantsLayer`**, one key", Box::new(move |_| case("", &one, of_one.clone()))),
        ("**`TenantsLayer`**, 10\u{202f}000 keys in turn", {
            Box::new(move |thread| {
                // The threads send the requests of different keys at a time.
                let mut keys = many.clone();
                keys.rotate_left(many.len() / 2 * thread as usize);
                case("", &keys, of_many.clone())
            })
        }),
    ];
    let mut best = [[0.0_f64; THREADS.len()]; 3];
    for _ in 0..BURSTS {
        for (row, (_, make)) in all.iter().enumerate() {
            for (column, threads) in THREADS.into_iter().enumerate() {
                let mut cases: Vec<Case> = (0..threads).map(make).collect();
                let rate = timing::run_concurrently(&mut cases, REQUESTS / threads);
                best[row][column] = best[row][column].max(rate);
            }
        }
    }
    let row = |((name, _), [one, two]): (&(&str, MakeCase), &[f64; 2])| {
        ((*name).to_owned(), vec![one / 1e6, two / 1e6, two / one, two / best[1][1]])
    };
    let columns: Columns<'_> = &[
        ("1 thread", two_decimals),
        ("2 threads", two_decimals),
        ("2 threads × 1 thread", two_decimals),
        ("2 threads × one key", two_decimals),
    ];
    let table = Table { rows: all.iter().zip(&best).map(row).collect() };
    table.publish("tenants-threads", "million requests per second", columns);
}
