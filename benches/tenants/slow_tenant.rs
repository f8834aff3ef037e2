//! The latency of a thousand tenants, beside a tenant whose token endpoint hangs.

use std::convert::Infallible;
use std::task::{Context, Waker};
use std::time::Instant;

use tower::limit::ConcurrencyLimit;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2_benches::table::{Columns, Table, one_decimal, three_decimals};
use tower_oauth2_benches::tenants::{fresh, keys, request_of};
use tower_oauth2_benches::timing::median;
use tower_oauth2_benches::{no_op, send_request};

const TENANTS: usize = 1000;
/// More requests wait for the token of the slow tenant than the inner service has permits.
const WAITING: usize = 100;
const PERMITS: usize = 8;
const ROUNDS: usize = 2000;

pub(super) fn run() {
    let all = keys(TENANTS + 1);
    let (slow, others) = all.split_last().expect("there are keys");
    let inner = ConcurrencyLimit::new(service_fn(no_op::<Infallible>), PERMITS);
    let mut service = fresh(others).layer(inner);
    for key in others {
        send_request(&mut service, request_of(key));
    }
    let round = |service: &mut _| {
        let start = Instant::now();
        for key in others {
            send_request(service, request_of(key));
        }
        start.elapsed().as_secs_f64() * 1e9 / TENANTS as f64
    };
    let names =
        ["all tokens are fresh", "the same, again", "a tenant's token endpoint hangs, and 100 requests wait for it"];
    let mut times = [const { Vec::new() }; 3];
    for turn in 0..ROUNDS * names.len() {
        // Each round starts with another case, so that no case always runs after the same one.
        let case = (turn + turn / names.len()) % names.len();
        let mut waiting = Vec::new();
        if case == 2 {
            waiting.extend((0..WAITING).map(|_| Box::pin(service.clone().oneshot(request_of(slow)))));
            for request in &mut waiting {
                assert!(request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
        }
        times[case].push(round(&mut service));
        drop(waiting);
    }
    let row = |(name, of_case): (&str, &Vec<f64>)| {
        let ratios = of_case.iter().zip(&times[0]).map(|(time, reference)| time / reference).collect();
        (name.to_owned(), vec![median(of_case.clone()), median(ratios)])
    };
    let table = Table { rows: names.into_iter().zip(&times).map(row).collect() };
    let columns: Columns<'_> = &[("ns", one_decimal), ("× all fresh", three_decimals)];
    table.publish("tenants-slow", "a request of one of a thousand tenants", columns);
}
