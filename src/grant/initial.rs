//! The token or the refresh token that a grant has before its first token request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Grant;
use crate::secret::Secret;
use crate::sync::{Mutex, lock};
use crate::token::Token;

/// Returns the initial token of `grant`. An expired token without a refresh token counts as none.
pub(crate) fn initial_token(grant: &impl Grant) -> Option<Token> {
    grant.initial_token().filter(|token| !token.is_expired(Duration::ZERO) || token.refresh_token().is_some())
}

/// The initial token that `.token(…)` sets, or the refresh token of `RefreshToken::new`.
#[derive(Debug, Default)]
pub(super) struct InitialToken {
    token: Option<Token>,
    refresh_token: Option<Secret>,
    /// The refresh token with which the server has replaced `refresh_token`, in a response without a usable access token.
    rotated: Mutex<Option<Secret>>,
    /// Guards `refresh_token` if there is no token that it belongs to.
    single_use: SingleUse,
}

impl InitialToken {
    pub(super) fn set_token(&mut self, token: Token) {
        self.token = Some(token);
    }

    pub(super) fn set_refresh_token(&mut self, refresh_token: String) {
        self.refresh_token = Some(Secret::new(refresh_token));
    }

    /// Returns the token. If it has no refresh token of its own, it gets `refresh_token`.
    pub(super) fn token(&self) -> Option<Token> {
        let token = self.token.clone()?;
        Some(match &self.refresh_token {
            Some(refresh_token) if token.refresh_token().is_none() => token.with_refresh_token(refresh_token.expose()),
            _ => token,
        })
    }

    pub(super) fn has_refresh_token(&self) -> bool {
        self.refresh_token.is_some()
    }

    /// Prevents a further use of the bare refresh token.
    pub(super) fn spend(&self) {
        self.single_use.spend();
    }

    /// Returns the refresh token for a token request, if there is no token that it belongs to.
    pub(super) fn bare_refresh_token(&self) -> Option<(Secret, UseGuard<'_>)> {
        let refresh_token = self.refresh_token.as_ref().filter(|_| self.token.is_none())?;
        let in_use = self.single_use.begin()?;
        let rotated = lock(&self.rotated).clone();
        Some((rotated.unwrap_or_else(|| refresh_token.clone()), in_use))
    }

    /// Records that the server has replaced the bare refresh token.
    pub(super) fn rotate(&self, new: Secret) {
        *lock(&self.rotated) = Some(new);
    }
}

/// The clone counts its uses separately.
impl Clone for InitialToken {
    fn clone(&self) -> Self {
        let rotated = Mutex::new(lock(&self.rotated).clone());
        Self {
            token: self.token.clone(),
            refresh_token: self.refresh_token.clone(),
            rotated,
            single_use: self.single_use.clone(),
        }
    }
}

/// Permits a single use: no further one after a success or a rejection, and no two at the same time. A server that rotates refresh tokens
/// treats a second use of the same one as theft.
#[derive(Debug, Default)]
pub(super) struct SingleUse {
    spent: AtomicBool,
    in_use: AtomicBool,
}

/// A use that ends when this is dropped. It can be repeated after a failure, unless it was [spent](Self::spend).
pub(super) struct UseGuard<'a>(&'a SingleUse);

impl SingleUse {
    /// Starts a use. Returns `None` if there was one, and permanently if another one is running, because a cell starts a second one only
    /// after `forget`.
    pub(super) fn begin(&self) -> Option<UseGuard<'_>> {
        if self.spent.load(Ordering::SeqCst) {
            return None;
        }
        if self.in_use.swap(true, Ordering::SeqCst) {
            self.spent.store(true, Ordering::SeqCst);
            return None;
        }
        Some(UseGuard(self))
    }

    /// Prevents a further use.
    pub(super) fn spend(&self) {
        self.spent.store(true, Ordering::SeqCst);
    }
}

impl UseGuard<'_> {
    /// Prevents a further use.
    pub(super) fn spend(&self) {
        self.0.spend();
    }
}

impl Drop for UseGuard<'_> {
    fn drop(&mut self) {
        self.0.in_use.store(false, Ordering::SeqCst);
    }
}

/// The clone counts its uses separately.
impl Clone for SingleUse {
    fn clone(&self) -> Self {
        Self { spent: AtomicBool::new(self.spent.load(Ordering::SeqCst)), in_use: AtomicBool::new(false) }
    }
}
