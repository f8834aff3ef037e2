//! Defines the options for how an authorization request reaches the server.

use super::AuthorizationCode;
use crate::endpoint::Address;
use crate::error::Error;
use crate::into_url::{self, IntoUrl};
use crate::source::claims::Claims;

/// Options for servers that require more than a URL with parameters.
impl AuthorizationCode {
    /// Pushes each authorization request to this endpoint of the server ([RFC 9126]). The URL for the browser then contains only the client
    /// id and a reference.
    ///
    /// The push has the client authentication, the headers and the transport of a token request. If it fails, so does the login, before the
    /// browser is opened. A web application starts its logins with [`begin`](Self::begin).
    ///
    /// # Errors
    ///
    /// As [`AuthorizationCode::new`], for this URL.
    ///
    /// [RFC 9126]: https://www.rfc-editor.org/rfc/rfc9126
    pub fn pushed(mut self, par_url: impl IntoUrl) -> Result<Self, Error> {
        let url = self.config.endpoint.related_endpoint("par_url", par_url)?;
        self.par_endpoint = Some(Address::Fixed(into_url::endpoint_uri("par_url", url)?));
        Ok(self)
    }

    /// Signs each authorization request as a request object ([RFC 9101]), with a key, another [`Signer`](crate::jwt::Signer), or [`Claims`]
    /// with options. The URL for the browser then contains only the client id and the request object, unless it is [`pushed`](Self::pushed)
    /// too.
    ///
    /// The request object has the claims that the standard prescribes, and all parameters of the request. Its audience is that of the
    /// claims, or else the [issuer](Self::issuer). If none is known, or if the claims have an issuer or a subject of their own,
    /// [`begin`](Self::begin) fails, and so does a login.
    ///
    /// ```
    /// # #[cfg(feature = "jwt")]
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// use tower_oauth2::{client::Client, grant::AuthorizationCode, jwt::{Claims, Key}};
    ///
    /// let key = Key::generate()?.id("2026-11");
    /// let (authorize, token) = ("https://auth.example.com/authorize", "https://auth.example.com/token");
    /// let grant = AuthorizationCode::new(authorize, token, Client::public("my-app"))?
    ///     .request_object(Claims::signed_by(key).audience("https://auth.example.com"));
    /// assert!(grant.authorization_url("https://app.example.com/callback").is_err()); // call `begin`
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "jwt"))]
    /// # fn main() {}
    /// ```
    ///
    /// [RFC 9101]: https://www.rfc-editor.org/rfc/rfc9101
    #[must_use]
    pub fn request_object(mut self, claims: impl Into<Claims>) -> Self {
        self.request_object = Some(Box::new(claims.into()));
        self
    }
}
