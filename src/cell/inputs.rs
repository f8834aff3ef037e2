//! Defines the inputs of a transition of the state.

use std::sync::Arc;

use super::timing::Timing;

/// The options and the random number that a transition needs.
pub(super) struct Inputs<'a> {
    pub(super) timing: &'a Timing,
    pub(super) scheme: &'a Arc<str>,
    /// The number of header values of a token.
    pub(super) header_values: usize,
    /// A random number in `0.0..1.0`.
    pub(super) jitter: f64,
}
