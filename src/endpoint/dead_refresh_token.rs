//! Decides whether the server has rejected a refresh token permanently.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

/// Decides from the error of a refresh whether the refresh token is permanently invalid. The default is `invalid_grant` (RFC 6749 §5.2).
#[derive(Clone, Default)]
pub(super) struct DeadWhen(Option<Arc<Decide>>);

type Decide = dyn Fn(&Error) -> bool + Send + Sync;

impl DeadWhen {
    pub(super) fn new(decide: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(decide)))
    }

    /// Returns this decision, or the other one if this is the default.
    pub(super) fn or(self, other: &Self) -> Self {
        Self(self.0.or_else(|| other.0.clone()))
    }

    /// Records the decision in the error of a refresh.
    pub(super) fn apply(&self, error: Error) -> Error {
        use ErrorKind::{ClientRejected, InvalidGrant, NotOAuth, RequestRejected};
        if error.is_before_request() {
            return error;
        }
        let is_invalid = error.kind() == InvalidGrant;
        // The error of an overloaded or unreachable server does not concern the refresh token.
        let decides = matches!(error.kind(), ClientRejected | InvalidGrant | NotOAuth | RequestRejected);
        let decide = self.0.as_ref().filter(|_| decides);
        match decide.map_or(is_invalid, |decide| decide(&error)) {
            true => error.with_spent_refresh_token(),
            false if is_invalid => Error::new(ErrorKind::Overloaded, "it rejected the refresh token for now")
                .with_response_of(&error)
                .with_retry_after_header(error.retry_after()),
            false => error,
        }
    }
}

impl fmt::Debug for DeadWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "custom" } else { "invalid_grant" })
    }
}
