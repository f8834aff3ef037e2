//! Tokens that are bound to a key, and are sent with a proof only (RFC 9449 §7.1).

use super::token_cell::TokenCell;
use crate::error::{Error, ErrorKind};
use crate::token::Token;

impl TokenCell {
    /// Checks that the token may be sent. Any token may be sent that is not bound to a key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Proof`] for a bound token. It is never sent as Bearer.
    pub(crate) fn check_binding(&self, token: &Token) -> Result<(), Error> {
        if token.is_dpop() { Err(self.unproven(token)) } else { Ok(()) }
    }

    #[cold]
    fn unproven(&self, token: &Token) -> Error {
        let bound = token.record().dpop_jkt.as_deref();
        let why = match &self.dpop {
            None => {
                "the token is bound to a DPoP key, and the grant has none: set it with `dpop`, or implement `Grant::dpop`"
            }
            Some(dpop) if bound.is_some_and(|bound| bound != dpop.thumbprint()) => {
                "the token is bound to another DPoP key than that of the grant"
            }
            Some(_) => "the token is bound to a DPoP key, and API requests with proofs are not supported yet",
        };
        Error::new(ErrorKind::Proof, why)
    }
}
