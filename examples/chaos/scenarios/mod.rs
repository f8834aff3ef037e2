//! Scenarios for promises that need their own setup. They run one after the other, after the last caller has ended.

mod idle;
mod interventions;
mod rejecting;
mod retry_after;
mod setup;

use std::sync::Arc;

use tower::BoxError;

use super::{promises::Promise, run::Run};

/// Runs all scenarios.
pub(crate) async fn run(run: &Arc<Run>) {
    record(run, Promise::SetWakesWaiters, interventions::set(run).await);
    record(run, Promise::ForgetRestartsWaiters, interventions::forget(run).await);
    record(run, Promise::RejectionsAreBounded, rejecting::run(run).await);
    record(run, Promise::RetryAfterZeroIsBounded, retry_after::run(run).await);
    record(run, Promise::IdleRuntimesDoNotBlockCallers, idle::run(run).await);
}

/// Counts a scenario that fails before its end as a breach.
fn record(run: &Run, promise: Promise, scenario: Result<(), BoxError>) {
    if let Err(error) = scenario {
        run.broken(promise, error.to_string());
    }
}
