//! What a grant has before it has got anything: a token that was stored, or a refresh token alone.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::secret::Secret;
use crate::token::Token;

/// It counts until the server has given something newer, or has refused it. After that it is only old.
#[derive(Debug, Default)]
pub(super) struct Preset {
    token: Option<Token>,
    refresh_token: Option<Secret>,
    outdated: AtomicBool,
    /// Whether the refresh token is with the server.
    in_the_air: AtomicBool,
}

/// The refresh token while it is on its way: dropped when there is an answer, or none will come.
pub(super) struct InTheAir<'a>(&'a Preset);

impl Preset {
    pub(super) fn set_token(&mut self, token: Token) {
        self.token = Some(token);
    }

    pub(super) fn set_refresh_token(&mut self, refresh_token: String) {
        self.refresh_token = Some(Secret::new(refresh_token));
    }

    pub(super) fn token(&self) -> Option<&Token> {
        self.token.as_ref().filter(|_| !self.is_outdated())
    }

    /// The refresh token, for a call. Another call while it is in the air is made only by a cell that was told to forget: there is
    /// none any more. A server that rotates would take the same one twice for theft.
    pub(super) fn send_refresh_token(&self) -> Option<(&str, InTheAir<'_>)> {
        let of_the_token = self.token().and_then(Token::refresh_token);
        let alone = self.refresh_token.as_ref().filter(|_| !self.is_outdated()).map(Secret::expose);
        let refresh_token = of_the_token.or(alone)?;
        if self.in_the_air.swap(true, Ordering::SeqCst) {
            self.set_outdated();
            return None;
        }
        Some((refresh_token, InTheAir(self)))
    }

    pub(super) fn set_outdated(&self) {
        self.outdated.store(true, Ordering::SeqCst);
    }

    fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::SeqCst)
    }
}

impl Clone for Preset {
    fn clone(&self) -> Self {
        Self {
            token: self.token.clone(),
            refresh_token: self.refresh_token.clone(),
            outdated: AtomicBool::new(self.is_outdated()),
            in_the_air: AtomicBool::new(false),
        }
    }
}

impl Drop for InTheAir<'_> {
    fn drop(&mut self) {
        self.0.in_the_air.store(false, Ordering::SeqCst);
    }
}
