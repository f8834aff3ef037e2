//! The authorization request (RFC 6749 §4.1.1): an address to send a person to, and what to remember until they are back.

use std::fmt;

use url::Url;

use super::callback::{Expected, Issuer};
use crate::error::Error;
use crate::form::Form;
use crate::grant::parameters::Parameters;
use crate::grant::pkce::Pkce;
use crate::random;
use crate::secret::Secret;

/// A login under way: the address to send the person's browser to, and what is needed when they come back.
///
/// Keep it where only this person's session finds it, and hand it to
/// [`callback`](crate::grant::AuthorizationCode::callback). It is used up there: its PKCE verifier serves once.
pub struct Authorization {
    url: Url,
    pub(super) expected: Expected,
    pub(super) redirect_uri: String,
    pub(super) pkce: Pkce,
}

impl Authorization {
    /// The address to send the person's browser to.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The `state` that comes back in the redirect: a key to find this login by.
    ///
    /// # Security
    ///
    /// It is no proof of who comes back with it. Bind the login to the browser that began it, by a cookie of its session.
    pub fn state(&self) -> &str {
        self.expected.state.expose()
    }

    /// Builds the request. Its own query of the endpoint is kept, but for parameters that are ours.
    pub(super) fn new(
        endpoint: &Url,
        client_id: &str,
        redirect_uri: String,
        parameters: &Parameters,
        issuer: Option<&str>,
    ) -> Result<Self, Error> {
        let (pkce, state) = (Pkce::new()?, random::text()?);
        let ours = Form::bare()
            .param("response_type", "code")
            .param("client_id", client_id)
            .param("redirect_uri", &redirect_uri)
            .param("state", state.as_str())
            .param("code_challenge", pkce.challenge())
            .param("code_challenge_method", "S256");
        let ours = parameters.with_scope(ours);
        let theirs: Vec<(String, String)> =
            endpoint.query_pairs().into_owned().filter(|(name, _)| !ours.has(name)).collect();
        let mut url = endpoint.clone();
        url.query_pairs_mut().clear().extend_pairs(theirs).extend_pairs(ours.pairs());
        let issuer = match issuer {
            Some(issuer) => Issuer::Exactly(issuer.to_owned()),
            None => Issuer::OfOrigin(endpoint.origin().ascii_serialization()),
        };
        Ok(Self { url, expected: Expected { state: Secret::new(state.to_string()), issuer }, redirect_uri, pkce })
    }
}

/// The address holds the state, so it is not printed.
impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

/// A code that came back, with what its exchange needs. It is used up by
/// [`exchange`](crate::grant::AuthorizationCode::exchange).
pub struct Code {
    pub(super) code: Secret,
    pub(super) redirect_uri: String,
    pub(super) pkce: Pkce,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}
