//! Counts the allocations of a request on the hot path, and of one with a proof, and measures the memory of a layer, a waiting request and an idle token cell.

mod cells;
#[path = "../clones.rs"]
mod clones;
#[path = "../idle.rs"]
mod idle;
mod memory;
mod tenant_cells;

use allocation_counter::{AllocationInfo, measure};
use tower_oauth2_benches::table::{Columns, Table, integer, one_decimal};
use tower_oauth2_benches::{Case, cases, proofs};

const REQUESTS: u32 = 1000;
/// Each of these requests is sent after idle time.
const IDLE_REQUESTS: u32 = 10;
const COLUMNS: Columns<'_> = &[("allocations", one_decimal), ("bytes", integer)];

fn main() {
    let mut cases: Vec<Case> = [cases::all(), clones::cases()].into_iter().flatten().collect();
    let counts: Vec<AllocationInfo> = cases.iter_mut().map(per_request).collect();
    let rows = more_than_no_layer(&cases, &counts, REQUESTS);
    let clones: Vec<bool> = cases.iter().map(|case| case.call_style.are_clones()).collect();
    let with = |through_clone| rows.iter().zip(&clones).filter(move |(_, clone)| **clone == through_clone);
    let table = |through_clone| Table { rows: with(through_clone).map(|(row, _)| row.clone()).collect() };
    table(false).publish("allocations", "one request, more than with no layer", COLUMNS);
    table(true).publish("allocations-clones", "one request through a clone, more than with no layer", COLUMNS);

    let mut cases = proofs::requests_and_no_layer();
    let counts: Vec<AllocationInfo> = cases.iter_mut().map(per_request).collect();
    let table = Table { rows: more_than_no_layer(&cases, &counts, REQUESTS) };
    table.publish("allocations-dpop", "one request with a proof, more than with no layer", COLUMNS);

    let runtime = idle::runtime();
    let _inside = runtime.enter();
    let mut cases = idle::cases();
    let counts: Vec<AllocationInfo> = cases.iter_mut().map(after_idle).collect();
    let table = Table { rows: more_than_no_layer(&cases, &counts, IDLE_REQUESTS) };
    let about = "one request after 160 ms without requests, more than with no layer";
    table.publish("allocations-after-idle", about, COLUMNS);

    let rows = memory::rows().into_iter().chain(cells::rows()).chain(tenant_cells::rows()).collect();
    Table { rows }.publish("memory", "memory", &[("bytes", integer), ("allocations", one_decimal)]);
}

fn per_request(case: &mut Case) -> AllocationInfo {
    (case.run)(20);
    measure(|| (case.run)(REQUESTS))
}

fn after_idle(case: &mut Case) -> AllocationInfo {
    let mut all = AllocationInfo::default();
    for _ in 0..IDLE_REQUESTS {
        idle::wait();
        all += measure(|| (case.run)(1));
    }
    all
}

/// Subtracts the first case, which has no layer.
fn more_than_no_layer(cases: &[Case], counts: &[AllocationInfo], requests: u32) -> Vec<(String, Vec<f64>)> {
    let none = counts[0];
    let more = |all: u64, none: u64| (all as f64 - none as f64) / f64::from(requests);
    let row = |(case, count): (&Case, &AllocationInfo)| {
        let (allocations, bytes) =
            (more(count.count_total, none.count_total), more(count.bytes_total, none.bytes_total));
        (case.name.clone(), vec![allocations, bytes])
    };
    cases.iter().zip(counts).map(row).collect()
}
