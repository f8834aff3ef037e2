//! Implements the authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636): the user logs in at the server, in their own browser.

mod authorization;
mod binding;
mod callback;
mod expected_issuer;
mod login_server;
#[cfg(feature = "loopback")]
mod loopback;
mod push;
mod push_policy;
mod request_address;
mod request_object;
mod request_options;
mod request_parameters;
mod serialized;
mod steps;

use std::fmt;

use url::Url;

pub use self::authorization::{Authorization, Code};
#[cfg(feature = "loopback")]
pub(in crate::grant) use self::loopback::GrantId;

use self::push_policy::PushPolicy;
use super::config::GrantConfig;
use super::grant_options::grant_options;
#[cfg(feature = "loopback")]
use super::login_policy::{LoginPolicy, login_options};
use crate::client::Client;
use crate::endpoint::{IntoIssuer, TokenEndpoint};
use crate::error::Error;
use crate::into_url::IntoUrl;
use crate::source::claims::Claims;

/// Logs a user in with the authorization code grant and PKCE ([RFC 6749 §4.1], [RFC 7636], [RFC 8252], [RFC 9207]).
///
/// As the grant of a layer, it is for programs on the user's machine (feature `loopback`): it opens the browser, listens for the
/// redirect on a loopback address, and exchanges the code. A web application has its own redirect route, and calls the three
/// steps itself: [`begin`](Self::begin), [`callback`](Self::callback) and [`exchange`](Self::exchange).
///
/// ```
/// use tower_oauth2::{client::Client, grant::AuthorizationCode};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let client = Client::public("my-app");
/// let grant = AuthorizationCode::new("https://auth.example.com/authorize", "https://auth.example.com/token", client)?
///     .scope("openid profile")?
///     .param("prompt", "login");
///
/// let login = grant.authorization_url("https://app.example.com/callback")?;
/// assert!(login.url().as_str().contains("code_challenge_method=S256"));
/// # Ok(())
/// # }
/// ```
///
/// A request starts a login for the first token only. When the refresh token is dead, another login starts when the application calls
/// [`Tokens::refresh`](crate::Tokens::refresh), or with the next request if `relogin(true)` is set. With `login_on_request(false)` only
/// `Tokens::refresh` starts a login.
///
/// The request can be [pushed](Self::pushed) to the server ([RFC 9126]), [signed](Self::request_object) ([RFC 9101]), and
/// [detailed](Self::authorization_details) ([RFC 9396]).
///
/// [RFC 6749 §4.1]: https://www.rfc-editor.org/rfc/rfc6749#section-4.1
/// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
/// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
/// [RFC 9101]: https://www.rfc-editor.org/rfc/rfc9101
/// [RFC 9126]: https://www.rfc-editor.org/rfc/rfc9126
/// [RFC 9207]: https://www.rfc-editor.org/rfc/rfc9207
/// [RFC 9396]: https://www.rfc-editor.org/rfc/rfc9396
#[derive(Clone)]
pub struct AuthorizationCode {
    config: GrantConfig,
    /// `None` if it is discovered.
    authorization_url: Option<Url>,
    client_id: String,
    issuer: Option<String>,
    has_pkce: bool,
    /// When requests are pushed (RFC 9126).
    push_policy: PushPolicy,
    /// How requests are signed (RFC 9101).
    request_object: Option<Box<Claims>>,
    /// Whether the person is asked for consent again, so that the server issues a refresh token (OpenID Connect Core §11).
    asks_consent: bool,
    #[cfg(feature = "loopback")]
    loopback: loopback::Loopback,
    #[cfg(feature = "loopback")]
    logins: LoginPolicy,
}

impl AuthorizationCode {
    /// Creates the grant for these endpoints and a client, public or confidential.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`], for both URLs. [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for [`Client::none`], because
    /// a code is issued to a client.
    pub fn new(authorization_url: impl IntoUrl, token_url: impl IntoUrl, client: Client) -> Result<Self, Error> {
        Self::from_endpoint(authorization_url, TokenEndpoint::new(token_url, client)?)
    }

    /// Creates the grant for the server with this issuer identifier, whose endpoints are discovered when a login or a refresh starts: see
    /// [`Issuer`](crate::endpoint::Issuer).
    ///
    /// The metadata also decides whether a request is [pushed](Self::pushed) and whether a response must have an `iss`. A server that lists
    /// its methods for PKCE without `S256` is an error before the browser is opened. A web application starts its logins with
    /// [`begin`](Self::begin).
    ///
    /// ```
    /// use tower_oauth2::{Error, client::Client, grant::{Authorization, AuthorizationCode}, transport::Transport};
    ///
    /// async fn begin(http: &Transport) -> Result<Authorization, Error> {
    ///     let grant = AuthorizationCode::from_issuer("https://auth.example.com", Client::basic("id", "secret"))?;
    ///     grant.begin(http, "https://app.example.com/callback").await
    /// }
    /// # let _ = begin;
    /// ```
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::discover`]. [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for [`Client::none`].
    pub fn from_issuer(issuer: impl IntoIssuer, client: Client) -> Result<Self, Error> {
        Self::build(None, TokenEndpoint::discover(issuer, client)?)
    }

    /// Creates the grant from a token endpoint. With [`TokenEndpoint::dangerous_cleartext`], the authorization URL may be `http://` to
    /// any host too. With [`TokenEndpoint::discover`], this URL takes precedence over that of the metadata.
    ///
    /// # Errors
    ///
    /// As [`AuthorizationCode::new`].
    pub fn from_endpoint(authorization_url: impl IntoUrl, endpoint: TokenEndpoint) -> Result<Self, Error> {
        let authorization_url = endpoint.related_endpoint("authorization_url", authorization_url)?;
        Self::build(Some(authorization_url), endpoint)
    }

    fn build(authorization_url: Option<Url>, endpoint: TokenEndpoint) -> Result<Self, Error> {
        let client_id = endpoint.client_id()?.to_owned();
        Ok(Self { authorization_url, client_id, ..Self::from_config(GrantConfig::new(endpoint)) })
    }

    /// Creates a grant without a client, which a login gets later.
    fn from_config(config: GrantConfig) -> Self {
        Self {
            config,
            authorization_url: None,
            client_id: String::new(),
            issuer: None,
            has_pkce: true,
            push_policy: PushPolicy::default(),
            request_object: None,
            asks_consent: false,
            #[cfg(feature = "loopback")]
            loopback: loopback::Loopback::default(),
            #[cfg(feature = "loopback")]
            logins: LoginPolicy::default(),
        }
    }
}

grant_options!(AuthorizationCode);
#[cfg(feature = "loopback")]
login_options!(
    #[cfg_attr(docsrs, doc(cfg(feature = "loopback")))]
    AuthorizationCode
);

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationCode")
            .field("config", &self.config)
            .field("authorization_url", &self.authorization_url.as_ref().map(Url::as_str))
            .finish_non_exhaustive()
    }
}
