//! Reports the errors of a store.

use std::error::Error as _;

use super::session::Session;
use crate::catch_panic::catch_panic;
use crate::error::Error;
use crate::store::loggable_cause;

/// The callback that [`Persisted::on_store_error`](super::Persisted::on_store_error) sets.
pub(super) type OnStoreError = dyn Fn(&Error) + Send + Sync;

/// Reports an error to the log and to the callback.
pub(super) fn report(on_error: Option<&OnStoreError>, session: &Session, error: &Error) {
    session.recorder().store_failed(cause(error).as_deref());
    if let Some(on_error) = on_error {
        // A panic of the callback must not lose a new token.
        let _ = catch_panic(|| on_error(error));
    }
}

/// Returns the text of an error that can be logged. The text of a user's own store is left out, because it may hold a secret.
pub(super) fn cause(error: &Error) -> Option<String> {
    match error.context() {
        "" => error.source().and_then(loggable_cause),
        context => Some(context.to_owned()),
    }
}
