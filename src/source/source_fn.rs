//! Sources made from closures.

use std::fmt;
use std::future::Future;

use super::{Source, SourceContext};
use crate::error::Error;

/// A [`Source`] made from a closure by [`source_fn`].
#[derive(Clone)]
pub struct SourceFn<F>(F);

/// Makes a [`Source`] from a closure.
///
/// ```
/// use tower_oauth2::{client::Client, source::source_fn};
///
/// let client = Client::assertion("id", source_fn(async |_cx| Ok("eyJhbGciOi…".to_owned())));
/// # let _ = client;
/// ```
pub fn source_fn<F, Fut>(f: F) -> SourceFn<F>
where
    F: Fn(SourceContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, Error>> + Send,
{
    SourceFn(f)
}

impl<F, Fut> Source for SourceFn<F>
where
    F: Fn(SourceContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, Error>> + Send,
{
    fn fetch(&self, cx: SourceContext) -> impl Future<Output = Result<String, Error>> + Send {
        (self.0)(cx)
    }
}

impl<F> fmt::Debug for SourceFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceFn").finish_non_exhaustive()
    }
}
