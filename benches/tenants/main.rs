//! Measures a layer with a token for each tenant: instructions and time of a request, threads, and the effect of a tenant whose token endpoint
//! hangs. Needs valgrind.

mod slow_tenant;
mod tenant_cases;
mod tenant_threads;

use tower_oauth2_benches::table::{Columns, Table, integer, one_decimal, signed, three_decimals, two_decimals};
use tower_oauth2_benches::{callgrind, timing};

fn main() {
    // Both start this program again.
    if !callgrind::is_counting() {
        publish_times();
    }
    publish_instructions();
    tenant_threads::run();
    slow_tenant::run();
}

fn publish_times() {
    let timings = timing::compare(tenant_cases::cases, tenant_cases::ONE_TOKEN);
    let rows = timings.into_iter().map(|timing| (timing.name, vec![timing.nanoseconds, timing.ratio])).collect();
    let columns: Columns<'_> = &[("ns", one_decimal), ("× `OAuth2Layer`", three_decimals)];
    Table { rows }.publish("tenants", "time of one request", columns);
}

fn publish_instructions() {
    let counts = callgrind::count(tenant_cases::cases);
    let of = |name| counts.iter().find(|count| count.name == name).expect("it was measured").instructions;
    let [none, one_token] = [tenant_cases::NO_LAYER, tenant_cases::ONE_TOKEN].map(of);
    let rows = counts.iter().map(|count| {
        let all = count.instructions;
        (count.name.clone(), vec![all, all - none, all / one_token])
    });
    let columns: Columns<'_> =
        &[("all", integer), ("more than no layer", signed), ("all × `OAuth2Layer`", two_decimals)];
    Table { rows: rows.collect() }.publish("instructions-tenants", "instructions of one request", columns);
}
