//! Defines the options of a login on this machine.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::grant::AuthorizationCode;

/// Options of a login on this machine.
///
/// ```
/// use std::time::Duration;
/// use tower_oauth2::{client::Client, grant::AuthorizationCode};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let (authorize, token) = ("https://auth.example.com/authorize", "https://auth.example.com/token");
/// let grant = AuthorizationCode::new(authorize, token, Client::public("my-app"))?
///     .port(8400) // for a server that accepts only registered redirect URIs
///     .port(8401)
///     .path("/logged-in")
///     .timeout(Duration::from_secs(120));
/// # let _layer = tower_oauth2::OAuth2Layer::new(grant);
/// # Ok(())
/// # }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "loopback")))]
impl AuthorizationCode {
    /// Sets the function that shows the login URL to the user. By default, the system's browser is opened.
    ///
    /// The function runs on its own thread, within the tokio runtime of the login. It may block, for example until a browser in the
    /// foreground exits: the redirect is served meanwhile, and the login does not wait for the function. If it panics, the login
    /// fails with [`ErrorKind::Panicked`](crate::ErrorKind::Panicked).
    ///
    /// # Security
    ///
    /// The URL contains the `state` of the login. On most machines, other users can see the arguments of a command. Therefore the
    /// system's browser is started with a URL of this program, which redirects to the login URL once.
    #[must_use]
    pub fn browser(mut self, show: impl Fn(&Url) + Send + Sync + 'static) -> Self {
        self.loopback.browser = Some(Arc::new(show));
        self
    }

    /// Sets a function that also gets the login URL, to print it for users without a browser on this machine. By default, the URL is
    /// printed to standard error, unless [`browser`](Self::browser) is set.
    ///
    /// The function is called before that of [`browser`](Self::browser), on the same thread, and may block too.
    #[must_use]
    pub fn announce(mut self, show: impl Fn(&Url) + Send + Sync + 'static) -> Self {
        self.loopback.announce = Some(Arc::new(show));
        self
    }

    /// Adds a port to listen on for the redirect, for servers that compare the port of a redirect URI. If it is called several times,
    /// the first free port is used. By default, and for zero, the system chooses a free port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.loopback.ports.push(port);
        self
    }

    /// Sets the path of the redirect URI. The default is `/callback`. It may be empty, for a registered URI such as
    /// `http://127.0.0.1:8400`, without a trailing slash. Otherwise a missing leading slash is added.
    ///
    /// ```
    /// # use tower_oauth2::{client::Client, grant::AuthorizationCode};
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// # let (authorize, token) = ("https://auth.example.com/authorize", "https://auth.example.com/token");
    /// let grant = AuthorizationCode::new(authorize, token, Client::public("my-app"))?.port(8400).path("");
    /// # let _layer = tower_oauth2::OAuth2Layer::new(grant);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.loopback.path = if path.is_empty() || path.starts_with('/') { path } else { format!("/{path}") };
        self
    }

    /// Uses `localhost` as the host of the redirect URI, for servers that reject IP addresses. The grant then listens on both address
    /// families, on the same port.
    ///
    /// By default, the host is `127.0.0.1`, or `[::1]` on a machine without IPv4.
    #[must_use]
    pub fn localhost(mut self) -> Self {
        self.loopback.localhost = true;
        self
    }

    /// Sets the timeout of the user's part of the login. It starts before the browser is opened. The default is 300 s. With zero, every
    /// login expires.
    ///
    /// After it, the login fails with [`ErrorKind::LoginExpired`](crate::ErrorKind::LoginExpired). The exchange of the code has
    /// its [own timeout](crate::OAuth2Layer::token_timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.loopback.timeout = timeout;
        self
    }
}
