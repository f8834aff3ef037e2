//! Defines the options of the grant: its clients, and which authorization servers it may use.

use std::sync::Arc;

use super::{Discovered, ProtectedResource, client_id_document};
use crate::client::Client;
use crate::endpoint::Registration;
use crate::error::Error;
use crate::grant::Grant;

impl ProtectedResource {
    /// Adds a client that was registered before at the authorization server with this issuer identifier. Can be called several times, for
    /// several servers.
    ///
    /// The issuer is compared exactly. The client is used for no other server, and a server with a client is preferred to the others that
    /// the resource lists. A second client for the same issuer replaces the first.
    #[must_use]
    pub fn client(mut self, issuer: impl Into<String>, client: Client) -> Self {
        let issuer = issuer.into();
        let of_issuer = format!("{issuer} ");
        self.config.distinctions.retain(|(name, value)| *name != "client" || !value.starts_with(&of_issuer));
        self.config.distinctions.push(("client", of_issuer + client.id().unwrap_or_default()));
        self.clients.retain(|(other, _)| *other != issuer);
        self.clients.push((issuer, client));
        self
    }

    /// Sets a client whose id is the URL of its metadata document, which the authorization server fetches ([client ID metadata
    /// documents]). It is used with servers that support such clients.
    ///
    /// ```
    /// use tower_oauth2::{client::Client, grant::ProtectedResource};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let grant = ProtectedResource::new("https://mcp.example.com/mcp")?
    ///     .client_metadata(Client::public("https://app.example.com/client.json"))?;
    /// # let _ = grant;
    /// assert!(ProtectedResource::new("https://mcp.example.com/mcp")?.client_metadata(Client::public("my-app")).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the id is not such a URL: `https`, with a path, and without
    /// fragment, user information and dot segments. Also if the client has a shared secret, because every server would know it.
    ///
    /// [client ID metadata documents]: https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/
    pub fn client_metadata(mut self, client: Client) -> Result<Self, Error> {
        client_id_document::check(&client)?;
        self.config.distinguish("client_metadata", client.id().unwrap_or_default());
        self.metadata_client = Some(client);
        Ok(self)
    }

    /// Registers a client ([RFC 7591]) at an authorization server for which no other client is possible. The argument is the client's
    /// name, or a [`Registration`].
    ///
    /// The registration is kept with the token: with [`persisted`](Self::persisted) it survives restarts, and all processes share it. A
    /// login listens on the port that was registered. If that is taken, if the client's secret has expired, or if the server does not know
    /// the client any more, the next login registers another one.
    ///
    /// [RFC 7591]: https://www.rfc-editor.org/rfc/rfc7591
    #[must_use]
    pub fn register(self, registration: impl Into<Registration>) -> Self {
        Self { registration: Some(registration.into()), ..self }
    }

    /// Sets a function that makes another grant than a login, for the authorization server that was found.
    ///
    /// It is called once for each server. If its grant is one of this crate, it needs no resource, no scope and no DPoP key: those of this
    /// grant are added to its requests, with its parameters, headers and other options. An initial token and a store are set on this grant:
    /// [`token`](Self::token) and [`persisted`](Self::persisted) of the function's grant are not used.
    ///
    /// In a store, the entry of this grant is another one than that of a login. Two programs with different credentials that share a store
    /// need a [`subject`](crate::grant::Persisted::subject) each.
    ///
    /// ```
    /// use tower_oauth2::{Error, client::Client, grant::{ClientCredentials, Discovered, ProtectedResource}};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let grant = ProtectedResource::new("https://mcp.example.com/mcp")?
    ///     .accept_issuer(|issuer| issuer == "https://auth.example.com")
    ///     .with_grant(|found: &Discovered| ClientCredentials::from_issuer(found.issuer(), Client::basic("id", "secret")));
    /// # let _ = grant;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Security
    ///
    /// The function decides which credentials the server gets. A function that ignores [`Discovered::issuer`] sends them to any server that
    /// the resource lists, unless [`accept_issuer`](Self::accept_issuer) restricts those.
    #[must_use]
    pub fn with_grant<G: Grant>(mut self, f: impl Fn(&Discovered) -> Result<G, Error> + Send + Sync + 'static) -> Self {
        // A person and a program can have tokens of their own for one resource.
        self.config.distinguish("with_grant", "");
        Self { make_grant: Some(Arc::new(move |found| f(found).map(Grant::boxed))), ..self }
    }

    /// Sets a predicate for the issuer identifiers of authorization servers that may be used. By default all are accepted that the resource
    /// lists. A server with a [`client`](Self::client) is always accepted.
    #[must_use]
    pub fn accept_issuer(self, f: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { accepts_server: Some(Arc::new(f)), ..self }
    }

    /// Accepts metadata whose `resource` is the origin or a parent path of the resource. By default it must be the resource itself
    /// ([RFC 9728 §3.3]).
    ///
    /// # Security
    ///
    /// If several parties share an origin, one of them can then obtain tokens that are for another.
    ///
    /// [RFC 9728 §3.3]: https://www.rfc-editor.org/rfc/rfc9728#section-3.3
    #[must_use]
    pub fn dangerous_accept_parent_resource(mut self) -> Self {
        self.resource.accept_parent();
        self
    }

    /// Supports servers of MCP 2025-03-26, which publish no metadata of the resource: its origin is the issuer. If that has no metadata
    /// either, its endpoints are `/authorize`, `/token` and `/register`. The issuer in that metadata may have a path.
    #[must_use]
    pub fn legacy_fallback(self) -> Self {
        Self { falls_back: true, ..self }
    }

    /// Sets a function that configures each login: its port, timeout and browser, and whether it may start again. It is called for each
    /// refresh too, and returns the login that it gets. PKCE cannot be switched off.
    ///
    /// ```
    /// use tower_oauth2::grant::ProtectedResource;
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let grant = ProtectedResource::new("https://mcp.example.com/mcp")?
    ///     .register("My app")
    ///     .login(|login| login.port(8400).relogin(true));
    /// # let _ = grant;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "loopback")]
    #[cfg_attr(docsrs, doc(cfg(feature = "loopback")))]
    #[must_use]
    pub fn login(
        self,
        f: impl Fn(crate::grant::AuthorizationCode) -> crate::grant::AuthorizationCode + Send + Sync + 'static,
    ) -> Self {
        Self { configure_login: Some(Arc::new(f)), ..self }
    }
}
