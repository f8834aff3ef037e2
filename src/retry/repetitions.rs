//! How often a request is repeated.

use http::Response;

use crate::extensions::{RejectionReason, TokenRejected};

/// For which reasons a request was repeated: once for a newer token, once for a nonce, and twice for challenges, such as a first token and
/// more scope for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repetitions {
    for_token: u8,
    for_nonce: u8,
    for_challenge: u8,
}

const MAX_FOR_CHALLENGE: u8 = 2;

impl Repetitions {
    /// Returns the mark of a response whose request must be repeated, and counts the repetition.
    pub(super) fn next<'a, R>(&mut self, response: &'a Response<R>) -> Option<&'a TokenRejected> {
        let rejected = TokenRejected::retryable(response)?;
        let (repeated, max) = match rejected.reason() {
            RejectionReason::Token => (&mut self.for_token, 1),
            RejectionReason::Nonce => (&mut self.for_nonce, 1),
            RejectionReason::Challenge => (&mut self.for_challenge, MAX_FOR_CHALLENGE),
        };
        let may_repeat = *repeated < max;
        *repeated = repeated.saturating_add(1);
        may_repeat.then_some(rejected)
    }

    /// Returns whether the request is not repeated again, whatever the response.
    pub(super) fn is_exhausted(self) -> bool {
        self.for_token > 0 && self.for_nonce > 0 && self.for_challenge >= MAX_FOR_CHALLENGE
    }
}
