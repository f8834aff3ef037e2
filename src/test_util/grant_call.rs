//! A recorded call of a scripted grant.

use crate::challenge::Challenge;
use crate::grant::{Context, Reason};
use crate::token::Token;

/// One call that a [`ScriptedGrant`](super::ScriptedGrant) has recorded.
#[derive(Clone, Debug)]
pub struct Call {
    previous: Option<Token>,
    reason: Reason,
    challenge: Option<Challenge>,
}

impl Call {
    pub(super) fn new(cx: &Context) -> Self {
        Self { previous: cx.previous().cloned(), reason: cx.reason(), challenge: cx.challenge().cloned() }
    }

    /// Returns the token that the layer had: expired, rejected or due. `None` for the first token, and after
    /// [`Tokens::forget`](crate::Tokens::forget).
    pub fn previous(&self) -> Option<&Token> {
        self.previous.as_ref()
    }

    /// Returns why the layer called the grant.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns the challenge that the grant got: see [`Context::challenge`].
    pub fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }
}
