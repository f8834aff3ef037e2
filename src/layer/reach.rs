//! Where the token may go.

use std::sync::Arc;

use super::OAuth2Layer;
use crate::attach::Attach;
use crate::error::Error;
use crate::into_url::IntoUrl;
use crate::origin::Origin;

/// Where the token may go. These options are this layer's own.
impl<G, T> OAuth2Layer<G, T> {
    /// Binds the token to an origin: scheme, host and port. May be given several times. The path of the address does not
    /// count: an origin is all of a host.
    ///
    /// A request to another origin is sent without the token. A request whose URI has no host goes where the inner
    /// service's fixed channel goes, and gets it.
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
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is no `http` or `https` address.
    pub fn origin(mut self, origin: impl IntoUrl) -> Result<Self, Error> {
        let origin = Origin::parse(origin)?;
        self.attach().origins.push(origin);
        Ok(self)
    }

    /// Refuses a request to an origin that the token is not bound to, rather than send it without the token. No effect
    /// without [`origin`](OAuth2Layer::origin).
    pub fn refuse_foreign_origins(mut self) -> Self {
        self.attach().refuse_foreign = true;
        self
    }

    /// Replaces an `Authorization` that a request brings. By default the request keeps its own.
    pub fn override_authorization(mut self) -> Self {
        self.attach().override_authorization = true;
        self
    }

    /// Sends the token over `http://` to any host, not to loopback only.
    ///
    /// # Security
    ///
    /// Whoever sees the traffic can use the token. Only for a network that is protected otherwise, such as a service mesh.
    /// For the token endpoint see
    /// [`TokenEndpoint::dangerous_cleartext`](crate::endpoint::TokenEndpoint::dangerous_cleartext).
    pub fn dangerous_allow_cleartext(mut self) -> Self {
        self.attach().allow_cleartext = true;
        self
    }

    fn attach(&mut self) -> &mut Attach {
        Arc::make_mut(&mut self.attach)
    }
}
