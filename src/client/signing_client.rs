//! Constructors of clients with an assertion, a certificate, or a secret that rotates.

#[cfg(feature = "file-source")]
use std::path::PathBuf;

use super::assertion::Assertion;
use super::authentication::{AuthMethod, Client};
#[cfg(feature = "jwt")]
use crate::jose::Algorithm;
#[cfg(feature = "jwt")]
use crate::secret::Secret;
use crate::source::claims::Claims;
use crate::source::{BoxSource, Source};

/// Clients that sign, and clients that obtain their secret or assertion from a [`Source`].
impl Client {
    /// Creates a client that authenticates with a signed JWT, `private_key_jwt` ([RFC 7523 §2.2]).
    ///
    /// `claims` is a key or another [`Signer`](crate::jwt::Signer), or [`Claims`] with options. Each token request gets a new JWT. Set its
    /// audience with [`audience`](Self::audience).
    ///
    /// ```
    /// use tower_oauth2::{client::Client, grant::ClientCredentials, jwt::Key};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let key = Key::generate()?.id("2026-11");
    /// let client = Client::private_key_jwt("id", key).audience("https://auth.example.com");
    /// let grant = ClientCredentials::new("https://auth.example.com/token", client)?;
    /// # let _ = grant;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The constructor that takes the client returns an error if the audience is unknown.
    ///
    /// [RFC 7523 §2.2]: https://www.rfc-editor.org/rfc/rfc7523#section-2.2
    pub fn private_key_jwt(id: impl Into<String>, claims: impl Into<Claims>) -> Self {
        let id = id.into();
        let claims = claims.into().of_client(&id);
        Self::new(id, AuthMethod::Assertion(Assertion::from_claims(claims)))
    }

    /// Creates a client that authenticates with a JWT that is signed with its secret, `client_secret_jwt` ([OpenID Connect Core §9]). The
    /// secret itself is not sent. The algorithm is HS256.
    ///
    /// The constructor that takes the client returns an error for a secret of less than 32 bytes ([RFC 7518 §3.2]), and if the audience is
    /// unknown: see [`audience`](Self::audience).
    ///
    /// [OpenID Connect Core §9]: https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication
    /// [RFC 7518 §3.2]: https://www.rfc-editor.org/rfc/rfc7518#section-3.2
    #[cfg(feature = "jwt")]
    pub fn secret_jwt(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::secret_jwt_with(id, secret, Algorithm::Hs256)
    }

    /// Creates a client like [`secret_jwt`](Self::secret_jwt) with HS384 or HS512. The secret must have at least 48 or 64 bytes.
    #[cfg(feature = "jwt")]
    pub fn secret_jwt_with(id: impl Into<String>, secret: impl Into<String>, algorithm: Algorithm) -> Self {
        let id = id.into();
        let assertion = Assertion::from_secret(&id, Secret::new(secret), algorithm);
        Self::new(id, AuthMethod::Assertion(assertion))
    }

    /// Creates a client that authenticates with an assertion from another source, such as the token of a workload identity. The source
    /// returns a complete JWT.
    pub fn assertion(id: impl Into<String>, source: impl Source) -> Self {
        Self::new(id, AuthMethod::Assertion(Assertion::from_source(source)))
    }

    /// Creates a client that reads its assertion from a file for each token request, as with Kubernetes, Azure workload identity or SPIFFE.
    #[cfg(feature = "file-source")]
    pub fn assertion_file(id: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self::assertion(id, crate::source::File::new(path))
    }

    /// Sets the `client_assertion_type`, for an assertion that is not a JWT, such as SAML. It has no effect on other clients.
    #[must_use]
    pub fn assertion_type(mut self, uri: impl Into<String>) -> Self {
        if let AuthMethod::Assertion(assertion) = &mut self.method {
            assertion.set_type(uri.into());
        }
        self
    }

    /// Sets the audience of [`private_key_jwt`](Self::private_key_jwt) and [`secret_jwt`](Self::secret_jwt): the issuer identifier of the
    /// authorization server. It has no effect on other clients.
    ///
    /// Some servers expect the address of the token endpoint instead.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        if let AuthMethod::Assertion(assertion) = &mut self.method {
            assertion.set_audience(audience.into());
        }
        self
    }

    /// Creates a client that authenticates with a TLS certificate ([RFC 8705 §2]): the form contains `client_id`, and the HTTP client
    /// presents the certificate.
    ///
    /// [RFC 8705 §2]: https://www.rfc-editor.org/rfc/rfc8705#section-2
    pub fn tls(id: impl Into<String>) -> Self {
        Self::new(id, AuthMethod::Tls)
    }

    /// Creates a client like [`Client::basic`] that obtains its secret from a [`Source`] for each token request, because the secret
    /// rotates.
    pub fn basic_from(id: impl Into<String>, source: impl Source) -> Self {
        Self::new(id, AuthMethod::BasicFrom(BoxSource::new(source)))
    }

    /// Creates a client like [`Client::post`] that obtains its secret from a [`Source`] for each token request, because the secret rotates.
    pub fn post_from(id: impl Into<String>, source: impl Source) -> Self {
        Self::new(id, AuthMethod::PostFrom(BoxSource::new(source)))
    }
}
