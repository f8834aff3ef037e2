//! The token that is used if the store has none.

use std::time::Duration;

use crate::grant::Grant;
use crate::grant::initial::{SingleUse, UseGuard, initial_token};
use crate::sync::{Mutex, lock};
use crate::token::Token;

/// The token that is used if the store has none: at first the initial token of the grant, once.
///
/// After the server has rejected the refresh token of the first token, that token is kept without it. As the previous token, it prevents a
/// first login: a request may start a first login, but must not start one after a login has ended.
#[derive(Debug, Default)]
pub(super) struct FallbackToken {
    initial: SingleUse,
    rejected: Mutex<Option<Token>>,
}

pub(super) struct Fallback<'a> {
    pub(super) token: Token,
    initial: Option<UseGuard<'a>>,
}

impl FallbackToken {
    /// Returns a token if nothing is stored, or only an expired token without a refresh token.
    pub(super) fn instead_of(&self, stored: Option<&Token>, grant: &impl Grant) -> Option<Fallback<'_>> {
        if stored.is_some_and(|token| !token.is_expired(Duration::ZERO) || token.refresh_token().is_some()) {
            return None;
        }
        if let Some(token) = initial_token(grant)
            && let Some(initial) = self.initial.begin()
        {
            return Some(Fallback { token, initial: Some(initial) });
        }
        lock(&self.rejected).clone().map(|token| Fallback { token, initial: None })
    }

    pub(super) fn set_rejected(&self, token: Option<Token>) {
        *lock(&self.rejected) = token.map(Token::without_refresh_token);
    }
}

impl Fallback<'_> {
    /// Returns whether the token can be used without a refresh.
    pub(super) fn is_valid(&self) -> bool {
        self.initial.is_some() && !self.token.is_expired(Duration::ZERO)
    }

    /// Prevents a further use of the initial token.
    pub(super) fn spend(&self) {
        if let Some(initial) = &self.initial {
            initial.spend();
        }
    }
}

/// The clone starts with the initial token again, unless that was spent.
impl Clone for FallbackToken {
    fn clone(&self) -> Self {
        Self { initial: self.initial.clone(), rejected: Mutex::default() }
    }
}
