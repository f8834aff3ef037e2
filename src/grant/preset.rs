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
}

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

    pub(super) fn refresh_token(&self) -> Option<&str> {
        let of_the_token = self.token().and_then(Token::refresh_token);
        of_the_token.or_else(|| self.refresh_token.as_ref().filter(|_| !self.is_outdated()).map(Secret::expose))
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
        }
    }
}
