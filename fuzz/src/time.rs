//! Virtual time.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

/// Runs `work` with a clock that advances to the next timer when no task is ready.
///
/// `limit` uses that clock, so a future that is never woken fails immediately.
pub fn in_virtual_time<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async { timeout(limit, work).await.expect("it hangs") })
}
