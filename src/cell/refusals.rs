//! Tokens that servers refuse, one after the other.
//!
//! The first refused token is renewed at once. When its successor is refused too, and no request was accepted in between,
//! the fault is not the token's: then each new one costs a token call that helps nobody, and for those the back-off counts.

use super::freshness;
use super::terms::Dice;
use crate::clock::{Deadline, Now};

#[derive(Debug, Default)]
pub(super) struct Refusals {
    in_a_row: u32,
    /// When a refusal may cost another token call.
    renew: Option<Deadline>,
}

impl Refusals {
    pub(super) fn may_renew(&self, now: Now) -> bool {
        self.renew.is_none_or(|renew| renew.passed(now))
    }

    /// A refused token is renewed.
    pub(super) fn renewed(&mut self, now: Now, dice: &Dice<'_>) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.renew = Some(Deadline::after(now, freshness::backoff(dice.policy, self.in_a_row, dice.jitter, None)));
    }

    /// Whether an accepted request would end something.
    pub(super) fn is_series(&self) -> bool {
        self.in_a_row > 0
    }
}
