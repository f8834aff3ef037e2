//! How a person at this machine logs in: the options.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::AuthorizationCode;

type Show = Arc<dyn Fn(&Url) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Loopback {
    pub(super) localhost: bool,
    pub(super) ports: Vec<u16>,
    pub(super) path: String,
    pub(super) timeout: Duration,
    pub(super) relogin: bool,
    pub(super) browser: Option<Show>,
    pub(super) announce: Option<Show>,
}

impl Default for Loopback {
    fn default() -> Self {
        Self {
            localhost: false,
            ports: Vec::new(),
            path: "/callback".into(),
            timeout: Duration::from_secs(300),
            relogin: false,
            browser: None,
            announce: None,
        }
    }
}

/// How a person at this machine logs in.
///
/// ```
/// use std::time::Duration;
/// use tower_oauth2::{client::Client, grant::AuthorizationCode};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let (authorize, token) = ("https://auth.example.com/authorize", "https://auth.example.com/token");
/// let grant = AuthorizationCode::new(authorize, token, Client::public("my-app"))?
///     .port(8400) // for a server that knows these two addresses, and no others
///     .port(8401)
///     .path("/logged-in")
///     .timeout(Duration::from_secs(120));
/// # let _layer = tower_oauth2::OAuth2Layer::new(grant);
/// # Ok(())
/// # }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "loopback")))]
impl AuthorizationCode {
    /// Shows the login address to the person in this way, instead of opening the system's browser.
    #[must_use]
    pub fn browser(mut self, show: impl Fn(&Url) + Send + Sync + 'static) -> Self {
        self.loopback.browser = Some(Arc::new(show));
        self
    }

    /// Is also told the login address, for people who have no browser on this machine. By default it goes to standard error.
    #[must_use]
    pub fn announce(mut self, show: impl Fn(&Url) + Send + Sync + 'static) -> Self {
        self.loopback.announce = Some(Arc::new(show));
        self
    }

    /// A port to listen on for the redirect, for servers that compare it. May be given several times: the first free one is
    /// taken. By default, and for zero, any free port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.loopback.ports.push(port);
        self
    }

    /// The path of the redirect: `/callback` unless you say otherwise. A slash that is missing at its beginning is added.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.loopback.path = if path.starts_with('/') { path } else { format!("/{path}") };
        self
    }

    /// Redirects to `localhost` rather than `127.0.0.1`, for servers that refuse an address. Both families are listened on, on
    /// one port.
    #[must_use]
    pub fn localhost(mut self) -> Self {
        self.loopback.localhost = true;
        self
    }

    /// How long to wait for the person: 300 s unless you say otherwise. Zero gives nobody the time.
    ///
    /// After it those who wait get [`ErrorKind::LoginExpired`](crate::ErrorKind::LoginExpired).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.loopback.timeout = timeout;
        self
    }

    /// Lets a request start a login when the refresh token is dead. Without it the request gets
    /// [`ErrorKind::LoginNeeded`](crate::ErrorKind::LoginNeeded).
    #[must_use]
    pub fn relogin(mut self) -> Self {
        self.loopback.relogin = true;
        self
    }
}
