//! Work that blocks its thread, such as reading a file.

use crate::error::BoxError;

/// Runs `work` on a thread for blocking work if there is a tokio runtime, and in place otherwise. Work that has begun runs to its end.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
) -> Result<T, BoxError> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await?,
        Err(_) => work(),
    }
}
