//! What the state is told, and what it tells.

use std::sync::Arc;

use super::freshness::Policy;
use super::outcome::{Current, Failure};
use crate::token::Token;
use crate::transport::Reason;

/// What a caller finds.
#[derive(Debug)]
pub(crate) enum Found<F> {
    /// A token to send, fresh or due.
    Usable(Arc<Current>),
    /// None, but a flight that will bring one.
    Flying(F),
    /// None, and it is too early for another try.
    Failed(Failure),
    /// None, and nobody is getting one: the caller is to start a flight.
    Nothing,
}

/// What is to be done about a token that still serves.
#[derive(Debug)]
pub(crate) enum Ahead<F> {
    /// Nothing yet.
    Wait,
    /// A flight is bringing the next one.
    Flying(F),
    /// The caller is to start a flight.
    Start,
}

/// What a flight starts from.
pub(crate) struct Departure {
    pub(crate) previous: Option<Token>,
    pub(crate) reason: Reason,
    /// Which interventions of the user it came after.
    pub(super) epoch: u64,
}

/// What chance decides about an outcome, and by which numbers.
pub(crate) struct Dice<'a> {
    pub(crate) policy: &'a Policy,
    /// In `0.0..1.0`.
    pub(crate) jitter: f64,
}
