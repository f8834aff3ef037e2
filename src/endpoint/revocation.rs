//! The revocation endpoint: a token out, and nothing back (RFC 7009).

use super::TokenEndpoint;
use crate::client::Client;
use crate::error::Error;
use crate::form::Form;
use crate::into_url::{self, IntoUrl};
use crate::token::Token;
use crate::transport::Transport;

/// A revocation endpoint ([RFC 7009]) and the client that authenticates at it: for a logout that the server hears of.
///
/// ```
/// use tower_oauth2::{Error, Token, client::Client, endpoint::RevocationEndpoint, transport::Transport};
///
/// async fn log_out(http: &Transport, token: &Token) -> Result<(), Error> {
///     let endpoint = RevocationEndpoint::new("https://auth.example.com/revoke", Client::public("app"))?;
///     endpoint.revoke(http, token).await
/// }
/// # let _ = log_out;
/// ```
///
/// The address is held to the rules of [`TokenEndpoint`].
///
/// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
#[derive(Clone, Debug)]
pub struct RevocationEndpoint {
    endpoint: TokenEndpoint,
}

impl RevocationEndpoint {
    /// The endpoint at this address, for the client that the tokens were issued to.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`].
    pub fn new(revocation_url: impl IntoUrl, client: Client) -> Result<Self, Error> {
        let url = into_url::endpoint_url("revocation_url", revocation_url)?;
        into_url::refuse_cleartext("revocation_url", &url)?;
        Ok(Self { endpoint: TokenEndpoint::new(url, client)? })
    }

    /// Revokes the refresh token, if there is one, and then the access token. A token that the server does not know, or not any
    /// more, counts as revoked ([RFC 7009 §2.2]).
    ///
    /// Not every server can revoke an access token. Where one says so (`unsupported_token_type`), the refresh token is enough.
    ///
    /// # Errors
    ///
    /// As [`Transport::send`]; [`ErrorKind::Redirected`](crate::ErrorKind::Redirected) for a 3xx; what the server says went wrong.
    /// Both tokens are tried in any case, and the error is the first one. Of a token that was not revoked the server still
    /// thinks the best: where the error [is transient](Error::is_transient), try again, after
    /// [`retry_after`](Error::retry_after) if it says so.
    ///
    /// # Panics
    ///
    /// As [`Transport::send`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request, which the server may have acted on already. To revoke again does no harm.
    ///
    /// [RFC 7009 §2.2]: https://www.rfc-editor.org/rfc/rfc7009#section-2.2
    pub async fn revoke(&self, http: &Transport, token: &Token) -> Result<(), Error> {
        // First, for it could bring a new access token meanwhile; and with it most servers end all that came of it.
        let refresh = match token.refresh_token() {
            Some(refresh_token) => Some(self.revoke_one(http, refresh_token, "refresh_token").await),
            None => None,
        };
        let access = self.revoke_one(http, token.access_token(), "access_token").await;
        match (refresh, access) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(())), Err(error)) if is_unsupported(&error) => Ok(()),
            (_, access) => access,
        }
    }

    async fn revoke_one(&self, http: &Transport, token: &str, hint: &str) -> Result<(), Error> {
        let form = Form::bare().param("token", token).param("token_type_hint", hint);
        match self.endpoint.ask(http, self.endpoint.uri(), form).await {
            // What stands in the answer is of no account (§2.2): mostly nothing.
            Err(error) if error.status().is_some_and(|status| status.is_success()) => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}

fn is_unsupported(error: &Error) -> bool {
    error.oauth().is_some_and(|oauth| oauth.error() == "unsupported_token_type")
}
