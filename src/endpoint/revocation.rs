//! Revokes tokens at the revocation endpoint (RFC 7009).

use bytes::Bytes;
use http::{Request, Response};

use super::discovery::{EndpointMember, IntoIssuer};
use super::token_endpoint::TokenEndpoint;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::form::Form;
use crate::into_url::{self, IntoUrl};
use crate::token::Token;
use crate::transport::Transport;

/// A revocation endpoint ([RFC 7009]) with the client that authenticates at it: ends a login at the server.
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
/// The rules for the address of a [`TokenEndpoint`] apply.
///
/// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
#[derive(Clone, Debug)]
pub struct RevocationEndpoint {
    endpoint: TokenEndpoint,
}

impl RevocationEndpoint {
    /// Creates an endpoint with this address, for the client to which the tokens were issued.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`].
    pub fn new(revocation_url: impl IntoUrl, client: Client) -> Result<Self, Error> {
        let url = into_url::endpoint_url("revocation_url", revocation_url)?;
        into_url::deny_cleartext("revocation_url", &url)?;
        Ok(Self { endpoint: TokenEndpoint::new(url, client)? })
    }

    /// Creates an endpoint whose address is discovered from the issuer's metadata, with the first request: see
    /// [`Issuer`](super::Issuer).
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::discover`].
    pub fn discover(issuer: impl IntoIssuer, client: Client) -> Result<Self, Error> {
        Ok(Self { endpoint: TokenEndpoint::discover_member(EndpointMember::Revocation, issuer, client)? })
    }

    /// Adds a header to every request: see [`TokenEndpoint::header`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the name or the value is not valid in a header.
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self { endpoint: self.endpoint.header(name, value)? })
    }

    /// Changes each request before it is sent, such as for a server that expects the token in a parameter of another name: see
    /// [`TokenEndpoint::map_request`].
    #[must_use]
    pub fn map_request(self, map: impl Fn(Request<Bytes>) -> Request<Bytes> + Send + Sync + 'static) -> Self {
        Self { endpoint: self.endpoint.map_request(map) }
    }

    /// Changes each response before it is parsed, such as for a server that reports failures with status 200: see
    /// [`TokenEndpoint::map_response`]. Any response with a successful status counts as revoked, so set another status.
    #[must_use]
    pub fn map_response(self, map: impl Fn(Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static) -> Self {
        Self { endpoint: self.endpoint.map_response(map) }
    }

    /// Revokes the refresh token, if there is one, and then the access token. A token that the server does not know counts as revoked
    /// ([RFC 7009 §2.2]).
    ///
    /// Not every server can revoke an access token. If the server responds with `unsupported_token_type`, revoking the refresh token is
    /// enough.
    ///
    /// # Errors
    ///
    /// The errors of [`Transport::send`], [`ErrorKind::Redirected`] for a 3xx, and the errors of the server. Both tokens are sent in any
    /// case, and the first error is returned. A token that was not revoked is still valid: if the error
    /// [is transient](Error::is_transient), try again, after [`retry_after`](Error::retry_after) if it is set.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request, which the server may have processed already. Revoking a token twice does no harm.
    ///
    /// [RFC 7009 §2.2]: https://www.rfc-editor.org/rfc/rfc7009#section-2.2
    pub async fn revoke(&self, http: &Transport, token: &Token) -> Result<(), Error> {
        // The refresh token is first: until then it can be exchanged for a new access token, and most servers revoke its access tokens
        // together with it.
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
        let form = Form::without_grant_type().param("token", token).param("token_type_hint", hint);
        // A server confirms the revocation of an unknown token, so a malformed one would look revoked.
        form.check()?;
        match self.endpoint.post(http, self.endpoint.address(), form).await {
            // Only the user's function can interpret the response.
            Err(error) if error.kind() == ErrorKind::Panicked => Err(error),
            // The status is that of another request.
            Err(error) if error.is_before_request() => Err(error),
            // The body of a successful response is ignored (RFC 7009 §2.2).
            Err(error) if error.status().is_some_and(|status| status.is_success()) => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}

fn is_unsupported(error: &Error) -> bool {
    !error.is_before_request() && error.oauth().is_some_and(|oauth| oauth.error() == "unsupported_token_type")
}
