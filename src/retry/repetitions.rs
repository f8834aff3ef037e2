//! How often a request is repeated.

use http::Response;

use crate::extensions::{RejectionReason, TokenRejected};

/// For which reasons a request was repeated: once for a newer token, and once for a nonce. So it is sent at most three times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repetitions {
    for_token: bool,
    for_nonce: bool,
}

impl Repetitions {
    /// Returns the mark of a response whose request must be repeated, and counts the repetition.
    pub(super) fn next<'a, R>(&mut self, response: &'a Response<R>) -> Option<&'a TokenRejected> {
        let rejected = TokenRejected::retryable(response)?;
        let is_repeated = match rejected.reason() {
            RejectionReason::Token => &mut self.for_token,
            RejectionReason::Nonce => &mut self.for_nonce,
        };
        (!std::mem::replace(is_repeated, true)).then_some(rejected)
    }

    /// Returns whether the request is not repeated again, whatever the response.
    pub(super) fn is_exhausted(self) -> bool {
        self.for_token && self.for_nonce
    }
}
