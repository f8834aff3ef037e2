//! Hours of waiting in no time.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

/// Runs `work` on a clock that leaps to the next timer when nothing else is left to do.
///
/// `limit` is on that clock: a future that nobody will ever wake is a crash at once, not a time-out.
pub fn in_virtual_time<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async { timeout(limit, work).await.expect("it hangs") })
}
