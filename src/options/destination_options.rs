//! Where the token may be sent.

use http::HeaderName;

use crate::authorize::AuthorizePolicy;
use crate::error::Error;
use crate::into_url::IntoUrl;
use crate::layer::OAuth2Layer;
use crate::origin::Origin;

/// Where the token may be sent. These options apply to this layer and all of its handles. A clone of the layer starts with the same options,
/// and can change them independently.
impl<G, T> OAuth2Layer<G, T> {
    /// Binds the token to an origin: scheme, host and port. Can be called several times.
    ///
    /// A request to another origin is sent without the token. A request whose URI has no host is sent with the token, because it goes to
    /// the only server of the inner service. The path of the origin is ignored. `wss` is treated as `https`, and `ws` as `http`.
    ///
    /// If the token is bound to a [DPoP key](crate::docs::dpop#grpc-and-requests-without-an-authority), the proof of a request without a host, such as one of
    /// tonic, names this origin. There must be exactly one then.
    ///
    /// ```
    /// # fn wrap(grant: tower_oauth2::grant::ClientCredentials) -> Result<(), tower_oauth2::Error> {
    /// let layer = tower_oauth2::OAuth2Layer::new(grant)
    ///     .origin("https://api.example.com")?
    ///     .origin("https://files.example.com:8443")?;
    /// # let _ = layer;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) unless `origin` is an `http`, `https`, `ws` or `wss` address.
    pub fn origin(self, origin: impl IntoUrl) -> Result<Self, Error> {
        let origin = Origin::parse(origin)?;
        Ok(self.authorize(|policy| policy.origins.push(origin)))
    }

    /// Denies requests to origins that the token is not bound to. By default they are sent without the token.
    ///
    /// They fail with [`ErrorKind::OriginDenied`](crate::ErrorKind::OriginDenied), even if they have their own `Authorization` header. Without an
    /// [`origin`](OAuth2Layer::origin) it has no effect.
    ///
    /// ```
    /// # use tower_oauth2::{ErrorKind, OAuth2Layer, Token, client::Client, grant::ClientCredentials};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
    /// let layer = OAuth2Layer::new(grant).origin("https://api.example.com")?.deny_other_origins();
    ///
    /// let mut request = http::Request::get("https://other.example.com/").body(())?;
    /// let error = layer.tokens().authorize(&mut request).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::OriginDenied);
    /// # Ok(())
    /// # }
    /// ```
    pub fn deny_other_origins(self) -> Self {
        self.authorize(|policy| policy.deny_other_origins = true)
    }

    /// Replaces the `Authorization` header of requests that already have one. By default they keep it, and are sent without the token, and
    /// without a DPoP proof.
    ///
    /// A `DPoP` header that a request brings is always replaced if the layer attaches a bound token.
    pub fn override_authorization(self) -> Self {
        self.authorize(|policy| policy.override_authorization = true)
    }

    /// Sets the header that carries the token. Default: `Authorization`.
    ///
    /// It has no effect on a token that is bound to a [DPoP key](crate::docs::dpop): its header is always `Authorization` ([RFC 9449 §7.1]). With a key, a
    /// request that has either header keeps it.
    ///
    /// [RFC 9449 §7.1]: https://www.rfc-editor.org/rfc/rfc9449#section-7.1
    ///
    /// A request that already has this header keeps it, unless [overridden](OAuth2Layer::override_authorization). A client that follows a
    /// redirect to another host removes `Authorization`, but may not remove another header.
    ///
    /// ```
    /// use http::HeaderName;
    ///
    /// # fn wrap(grant: tower_oauth2::grant::ClientCredentials) {
    /// // A proxy in front of the API reads another header.
    /// let layer = tower_oauth2::OAuth2Layer::new(grant)
    ///     .authorization_header(HeaderName::from_static("x-forwarded-authorization"));
    /// # let _ = layer;
    /// # }
    /// ```
    pub fn authorization_header(self, name: HeaderName) -> Self {
        self.authorize(|policy| policy.header = name)
    }

    /// Sends the token over `http://` to any host, not only to loopback.
    ///
    /// # Security
    ///
    /// Anyone who can read the traffic can use the token. Use it only in a network that is protected in another way, such as a service mesh.
    /// For the token endpoint, see
    /// [`TokenEndpoint::dangerous_cleartext`](crate::endpoint::TokenEndpoint::dangerous_cleartext).
    pub fn dangerous_allow_cleartext(self) -> Self {
        self.authorize(|policy| policy.allow_cleartext = true)
    }

    fn authorize(self, change: impl FnOnce(&mut AuthorizePolicy)) -> Self {
        self.policy.update(change);
        self
    }
}
