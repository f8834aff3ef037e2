//! The layer's error in the error of a client.

use std::error::Error as StdError;

use tower_oauth2::Error;

/// Returns the error of the layer in an error of the stack, as in `docs/troubleshooting.md`.
pub(crate) fn layer_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    error.downcast_ref().or_else(|| layer_error(error.source()?))
}
