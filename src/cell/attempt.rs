//! The inputs of a refresh: its reason and the token that it replaces.

use crate::challenge::{Challenge, Demand};
use crate::grant::{Intervention, Reason};
use crate::token::Token;

/// What started a refresh: the reason, and the challenge that belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Trigger {
    pub(super) reason: Reason,
    /// The challenge of the response that rejected the token, or that demands another one.
    pub(super) challenge: Option<Challenge>,
    /// What challenges demand of the token, if they are the reason.
    pub(super) demand: Option<Demand>,
}

/// The state of the cell when a refresh started.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) previous: Option<Token>,
    pub(super) reason: Reason,
    pub(super) challenge: Option<Challenge>,
    pub(super) demand: Option<Demand>,
    /// The last `set` or `forget`, if no token was obtained since.
    pub(super) intervention: Option<Intervention>,
    /// The generation of the previous token.
    pub(super) generation: u64,
    /// The epoch of the cell. In a later epoch, the result of the refresh has no effect.
    pub(super) epoch: u64,
}

impl From<Reason> for Trigger {
    fn from(reason: Reason) -> Self {
        Self { reason, challenge: None, demand: None }
    }
}
