//! Defines the limits of one token request.

use std::time::Duration;

/// The timeout of a token request, and the maximum size that its response may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLimits {
    /// The time from the first poll to the last byte of the response.
    pub(crate) timeout: Duration,
    /// The maximum size of the body, in bytes.
    pub(crate) max_response_size: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), max_response_size: 1024 * 1024 }
    }
}
