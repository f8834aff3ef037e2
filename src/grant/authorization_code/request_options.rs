//! Defines the options of an authorization request and its response.

use super::AuthorizationCode;
use crate::endpoint::Address;
use crate::error::Error;
use crate::into_url::{self, IntoUrl};
use crate::source::claims::Claims;

/// Options of the authorization request and its response.
impl AuthorizationCode {
    /// Pushes each authorization request to this endpoint of the server (PAR, [RFC 9126]): its parameters are posted there first, and the URL
    /// for the browser contains only the client id and a reference to them.
    ///
    /// The push has the client authentication, the headers and the transport of a token request. If it fails, so does the login, before the
    /// browser is opened. A web application starts its logins with [`begin`](Self::begin).
    ///
    /// # Errors
    ///
    /// As [`AuthorizationCode::new`], for this URL.
    ///
    /// [RFC 9126]: https://www.rfc-editor.org/rfc/rfc9126
    #[doc(alias = "PAR")]
    pub fn pushed(mut self, par_url: impl IntoUrl) -> Result<Self, Error> {
        let url = self.config.endpoint.related_endpoint("par_url", par_url)?;
        self.push_policy.par_endpoint = Some(Address::Fixed(into_url::endpoint_uri("par_url", url)?));
        Ok(self)
    }

    /// Pushes each authorization request if the server supports it, for a grant with an issuer. Without this option, requests are pushed
    /// only if the server's metadata requires it. Without an issuer, the option has no effect.
    ///
    /// ```
    /// use tower_oauth2::{client::Client, grant::AuthorizationCode};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let grant = AuthorizationCode::from_issuer("https://auth.example.com", Client::public("my-app"))?.pushed_if_supported();
    /// # let _ = grant;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "PAR")]
    #[must_use]
    pub fn pushed_if_supported(mut self) -> Self {
        self.push_policy.if_supported = true;
        self
    }

    /// Signs each authorization request as a request object (JAR, [RFC 9101]), with a key, another [`Signer`](crate::jwt::Signer), or [`Claims`]
    /// with options. The URL for the browser then contains only the client id and the request object, unless it is [`pushed`](Self::pushed)
    /// too.
    ///
    /// The request object has the claims that the standard prescribes, and all parameters of the request. Its audience is that of the
    /// claims, or else the issuer of the server: the one of [`from_issuer`](Self::from_issuer) or [`issuer`](Self::issuer). If none is known, or if the claims have an issuer or a subject of their own,
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
    #[doc(alias = "JAR")]
    #[must_use]
    pub fn request_object(mut self, claims: impl Into<Claims>) -> Self {
        self.request_object = Some(Box::new(claims.into()));
        self
    }

    /// Sets the issuer identifier of the authorization server, which every authorization response must then contain ([RFC 9207]). Only
    /// for servers that send it: a response without it is not accepted, whether it has a code or an error.
    ///
    /// Without this option, an `iss` in the response must be the issuer of [`from_issuer`](Self::from_issuer), or have the origin of the
    /// authorization endpoint. If it is another one, the response is not accepted, and the error names the `iss`: some servers have their
    /// issuer identifier elsewhere.
    ///
    /// [RFC 9207]: https://www.rfc-editor.org/rfc/rfc9207#section-2.4
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Disables PKCE, for servers that reject its parameters. The client must be confidential.
    ///
    /// ```
    /// use tower_oauth2::{client::Client, grant::AuthorizationCode};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let (authorize, token) = ("https://auth.example.com/authorize", "https://auth.example.com/token");
    /// let grant = AuthorizationCode::new(authorize, token, Client::basic("id", "secret"))?.dangerous_without_pkce()?;
    /// assert!(!grant.authorization_url("https://app.example.com/callback")?.url().as_str().contains("code_challenge"));
    ///
    /// let public = AuthorizationCode::new(authorize, token, Client::public("id"))?;
    /// assert!(public.dangerous_without_pkce().is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for a client without a secret.
    ///
    /// # Security
    ///
    /// Without PKCE, an attacker can inject an intercepted code into a login of this client ([RFC 9700 §2.1.1, §4.5]). Only `state`
    /// prevents it. With a public client, an attacker could exchange an intercepted code directly.
    ///
    /// [RFC 9700 §2.1.1, §4.5]: https://www.rfc-editor.org/rfc/rfc9700#section-4.5
    pub fn dangerous_without_pkce(mut self) -> Result<Self, Error> {
        if !self.config.endpoint.has_confidential_client() {
            let why = "a client without a secret needs PKCE, because anyone who intercepts its code could exchange it";
            return Err(Error::argument("dangerous_without_pkce", why));
        }
        self.has_pkce = false;
        Ok(self)
    }
}
