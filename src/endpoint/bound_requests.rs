//! The key that the tokens of an endpoint are bound to (RFC 9449).

use super::token_endpoint::TokenEndpoint;
use crate::dpop::Dpop;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::token::{IssuedTypes, Token, TokenRecord};

impl TokenEndpoint {
    /// Binds the tokens to a key ([RFC 9449]): each token request has a proof that the key has signed.
    ///
    /// A response with a token that is not bound to the key is [`ErrorKind::Malformed`], unless
    /// [`Dpop::dangerous_allow_bearer`] accepts it.
    ///
    /// A [grant](crate::grant::Grant) that uses this endpoint has to return the key from [`Grant::dpop`](crate::grant::Grant::dpop). Else
    /// the layer cannot send the tokens.
    ///
    /// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
    #[must_use]
    pub fn dpop(self, dpop: Dpop) -> Self {
        Self { dpop: Some(dpop), ..self }
    }

    /// Returns the key that the tokens are bound to.
    pub(crate) fn dpop_key(&self) -> Option<&Dpop> {
        self.dpop.as_ref()
    }

    /// Returns whether the refresh token of this token is bound to another key than the one of this endpoint (RFC 9449 §5). That of a
    /// confidential client is bound to the client, which may change its key.
    pub(crate) fn is_bound_to_other_key(&self, token: &Token) -> bool {
        let own = self.dpop.as_ref().map(Dpop::thumbprint);
        !self.client.authenticates() && token.record().dpop_jkt.as_deref().is_some_and(|bound| Some(bound) != own)
    }

    pub(super) fn issued_types(&self) -> IssuedTypes {
        match &self.dpop {
            None => IssuedTypes::Bearer,
            Some(dpop) if dpop.allows_bearer() => IssuedTypes::DpopOrBearer,
            Some(_) => IssuedTypes::Dpop,
        }
    }

    /// Returns what a token of this endpoint was requested with.
    pub(super) fn token_record(&self) -> TokenRecord {
        TokenRecord { dpop_jkt: self.dpop.as_ref().map(|dpop| dpop.thumbprint().to_owned()) }
    }
}
