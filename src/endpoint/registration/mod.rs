//! Registers clients (RFC 7591): a program that no one has registered at an authorization server does it itself.
//!
//! | file | content |
//! | --- | --- |
//! | `client_information` | the registered client in a response |
//! | `register` | the request |
//! | `registered_methods` | authentication methods, and the validity of a secret |

#[cfg(feature = "loopback")]
mod client_information;
#[cfg(feature = "loopback")]
mod register;
#[cfg(feature = "loopback")]
mod registered_methods;

#[cfg(feature = "loopback")]
pub(crate) use self::client_information::client as registered_client;

use std::fmt;

use serde_json::{Map, Value};

use crate::source::{BoxSource, Source};

/// The metadata with which a program registers itself as a client of an authorization server that does not know it ([RFC 7591]).
///
/// A name converts into it. It is for [`ProtectedResource::register`](crate::grant::ProtectedResource::register), which adds the rest:
/// `redirect_uris`, `grant_types`, `response_types`, `token_endpoint_auth_method`, `application_type` and, with a DPoP key,
/// `dpop_bound_access_tokens`.
///
/// ```
/// use tower_oauth2::{endpoint::Registration, grant::ProtectedResource};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let registration = Registration::new("My app")
///     .member("client_uri", "https://app.example.com")
///     .member("software_id", "4NRB1-0XZABZI9E6-5SM3R");
/// let grant = ProtectedResource::new("https://mcp.example.com/mcp")?.register(registration);
/// # let _ = grant;
/// # Ok(())
/// # }
/// ```
///
/// # Security
///
/// Anyone can register a client with any name, so a name proves nothing to the person who logs in.
///
/// [RFC 7591]: https://www.rfc-editor.org/rfc/rfc7591
#[derive(Clone)]
pub struct Registration {
    members: Map<String, Value>,
    initial_access_token: Option<BoxSource>,
}

impl Registration {
    /// Creates a registration of a client with this name, which the server shows to the person who logs in.
    pub fn new(client_name: impl Into<String>) -> Self {
        let members = Map::from_iter([("client_name".to_owned(), Value::String(client_name.into()))]);
        Self { members, initial_access_token: None }
    }

    /// Sets a member of the client's metadata, such as `client_uri`, `logo_uri` or `software_id` ([RFC 7591 §2]).
    ///
    /// It replaces a member that the grant would send, such as `application_type` (`native` by default) or
    /// `token_endpoint_auth_method`, but for `redirect_uris`, which are those of the login.
    ///
    /// [RFC 7591 §2]: https://www.rfc-editor.org/rfc/rfc7591#section-2
    #[must_use]
    pub fn member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.members.insert(name.into(), value.into());
        self
    }

    /// Sets the token that the server demands for a registration, as Okta and others do ([RFC 7591 §3]). It is sent as a bearer token, and
    /// is fetched again for each registration.
    ///
    /// [RFC 7591 §3]: https://www.rfc-editor.org/rfc/rfc7591#section-3
    #[must_use]
    pub fn initial_access_token(self, source: impl Source) -> Self {
        Self { initial_access_token: Some(BoxSource::new(source)), ..self }
    }
}

impl From<&str> for Registration {
    fn from(client_name: &str) -> Self {
        Self::new(client_name)
    }
}

impl From<String> for Registration {
    fn from(client_name: String) -> Self {
        Self::new(client_name)
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("members", &self.members.keys().collect::<Vec<_>>())
            .field("initial_access_token", &self.initial_access_token.is_some())
            .finish()
    }
}
