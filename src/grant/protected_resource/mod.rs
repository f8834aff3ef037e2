//! The grant for an API of which only the URL is known (RFC 9728), as the authorization of MCP needs it.
//!
//! ```text
//!  resource_grant.rs ─┬─▶ find_server.rs                 the metadata of the resource, and one of its authorization servers
//!                     │        └──▶ known_server.rs      what is kept between two calls
//!                     ├─▶ log_in.rs ──▶ choose_client.rs a login, by the client for this server
//!                     └─▶ by_grant.rs                    the application's grant for this server
//! ```

mod by_grant;
#[cfg(feature = "loopback")]
mod choose_client;
mod client_id_document;
mod discovered;
mod find_server;
mod known_server;
#[cfg(feature = "loopback")]
mod log_in;
mod resource_grant;
mod resource_options;

use std::fmt;
use std::sync::Arc;

pub use self::discovered::Discovered;

use self::known_server::KnownServer;
use super::BoxGrant;
#[cfg(feature = "loopback")]
use super::authorization_code::{AuthorizationCode, GrantId};
use super::config::GrantConfig;
use super::grant_options::grant_options;
use crate::client::Client;
use crate::endpoint::{Registration, ResourceId, TokenEndpoint};
use crate::error::Error;

type AcceptServer = dyn Fn(&str) -> bool + Send + Sync;
type MakeGrant = dyn Fn(&Discovered) -> Result<BoxGrant, Error> + Send + Sync;
#[cfg(feature = "loopback")]
type ConfigureLogin = dyn Fn(AuthorizationCode) -> AuthorizationCode + Send + Sync;

/// Obtains tokens for an API of which only the URL is known, such as an MCP server ([RFC 9728], the authorization of [MCP]).
///
/// It fetches the metadata of the resource, from the address in the API's challenge or from the well-known addresses, and the metadata of
/// one of the authorization servers that it lists. Then a person logs in with the authorization code grant (feature `loopback`), or the
/// grant of [`with_grant`](Self::with_grant) runs. Each request for a token names the resource ([RFC 8707]).
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, endpoint::Registration, grant::ProtectedResource};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let grant = ProtectedResource::new("https://mcp.example.com/mcp")?
///     .client_metadata(Client::public("https://app.example.com/client.json"))?
///     .register(Registration::new("My app"));
/// # #[cfg(feature = "loopback")]
/// let layer = OAuth2Layer::new(grant).origin("https://mcp.example.com")?.on_challenge().step_up();
/// # Ok(())
/// # }
/// ```
///
/// The client of an authorization server is the first of these that is possible: a [`client`](Self::client) that was registered before, a
/// [client ID metadata document](Self::client_metadata), and a [registration](Self::register) by the grant itself.
///
/// The scope is that of [`scope`](Self::scope) and of the challenge together; without both it is all that the resource supports. A login
/// also requests `offline_access`, if the authorization server lists it.
///
/// # Security
///
/// The resource names the authorization server, so a hostile resource can name one whose page asks for a password.
/// [`accept_issuer`](Self::accept_issuer) decides which ones may be used. Clients, registrations and tokens of one server are never sent to
/// another. Values of [`header`](Self::header), [`param`](Self::param) and [`map_request`](Self::map_request) are sent to any server that the
/// resource lists: with a secret in them, set `accept_issuer` too.
///
/// [MCP]: https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization
/// [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707
/// [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728
#[derive(Clone)]
pub struct ProtectedResource {
    config: GrantConfig,
    resource: ResourceId,
    /// The issuer, and the client that was registered there.
    clients: Vec<(String, Client)>,
    metadata_client: Option<Client>,
    registration: Option<Registration>,
    accepts_server: Option<Arc<AcceptServer>>,
    /// Whether a resource without metadata is its own authorization server (MCP 2025-03-26).
    falls_back: bool,
    make_grant: Option<Arc<MakeGrant>>,
    #[cfg(feature = "loopback")]
    configure_login: Option<Arc<ConfigureLogin>>,
    #[cfg(feature = "loopback")]
    login_id: GrantId,
    known: KnownServer,
}

impl ProtectedResource {
    /// Creates the grant for a resource: the URL that the program calls, such as that of an MCP server. It is sent as it is written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is not a URL, or has a fragment or user information, and
    /// [`ErrorKind::Cleartext`](crate::ErrorKind::Cleartext) if it is `http://` and its host is not loopback.
    pub fn new(resource: impl Into<String>) -> Result<Self, Error> {
        let resource = ResourceId::parse(&resource.into())?;
        let mut config = GrantConfig::new(TokenEndpoint::undetermined());
        config.key_server = Some(resource.clone());
        Ok(Self {
            config,
            resource,
            clients: Vec::new(),
            metadata_client: None,
            registration: None,
            accepts_server: None,
            falls_back: false,
            make_grant: None,
            #[cfg(feature = "loopback")]
            configure_login: None,
            #[cfg(feature = "loopback")]
            login_id: GrantId::default(),
            known: KnownServer::default(),
        })
    }
}

grant_options!(ProtectedResource);

impl fmt::Debug for ProtectedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedResource")
            .field("resource", &self.resource)
            .field("clients", &self.clients)
            .field("metadata_client", &self.metadata_client)
            .field("registration", &self.registration)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
