//! Builds the client: its constructors, options and defaults.

use std::time::Duration;

use bytes::Buf;
use http_body::Body;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::certificates;
use super::connector::{Connector, HttpsClient};
use super::identity::Identity;
use super::proxy_environment::ProxyVariables;
use super::routing::Proxies;
use crate::clock::MAX_DURATION;
use crate::error::Error;

/// Creates a hyper client for `https://` and `http://`, with HTTP/2 and HTTP/1.1, which trusts the certificates that the system trusts.
///
/// It is an inner service for the layer if the application has no HTTP client yet; any other HTTP `Service` works too. TLS is rustls with
/// ring, TLS 1.2 and 1.3. The certificates are read when the client is created, from the system's store or from `SSL_CERT_FILE` and
/// `SSL_CERT_DIR`. The [proxies](super#proxies) are read from the environment at the same time.
///
/// ```no_run
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, https};
///
/// # async fn example() -> Result<(), tower::BoxError> {
/// let client = Client::basic("id", "secret");
/// let grant = ClientCredentials::new("https://auth.example.com/token", client)?;
/// let mut api = ServiceBuilder::new()
///     .layer(OAuth2Layer::new(grant).origin("https://api.example.com")?)
///     .service(https::client::<Full<Bytes>>()?);
///
/// let request = http::Request::get("https://api.example.com/v1/things").body(Full::default())?;
/// let response = api.ready().await?.call(request).await?;
/// # drop(response);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if no trusted certificate can be read, or if the value of a variable is
/// not the address of a proxy. If only some certificates cannot be read, the others are trusted.
pub fn client<B>() -> Result<HttpsClient<B>, Error>
where
    B: Body + Send,
    B::Data: Buf + Send,
{
    builder().build()
}

/// Creates a client that presents a client certificate in TLS handshakes ([RFC 8705]), and otherwise has the defaults of [`client`]. It
/// sends no requests to `http://` addresses.
///
/// The certificate is never presented to a proxy, because TLS is end-to-end inside the tunnel. Two identities never share a connection,
/// because each client has its own connection pool.
///
/// # Errors
///
/// The errors of [`client`].
///
/// [RFC 8705]: https://www.rfc-editor.org/rfc/rfc8705
pub fn client_with_identity<B>(identity: Identity) -> Result<HttpsClient<B>, Error>
where
    B: Body + Send,
    B::Data: Buf + Send,
{
    builder().identity(identity).build()
}

/// Creates a builder for a client with other timeouts or proxies than those of [`client`].
pub fn builder() -> Builder {
    Builder::new()
}

/// Builds an [`HttpsClient`] with custom timeouts and proxies.
///
/// ```no_run
/// use std::time::Duration;
///
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use tower_oauth2::https;
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// // Without a proxy, even if the environment configures one.
/// let client: https::HttpsClient<Full<Bytes>> =
///     https::builder().connect_timeout(Duration::from_secs(3)).proxies_from(|_| None).build()?;
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    connect_timeout: Duration,
    keep_alive_interval: Duration,
    keep_alive_timeout: Duration,
    /// Replaces the environment.
    variables: Option<ProxyVariables>,
    identity: Option<Identity>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            keep_alive_interval: Duration::from_secs(20),
            keep_alive_timeout: Duration::from_secs(10),
            variables: None,
            identity: None,
        }
    }

    /// Sets the connect timeout. The default is 10 s.
    ///
    /// It covers everything up to the first request: name resolution, TCP, the proxy and TLS. With zero, almost every connection times out.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout.min(MAX_DURATION);
        self
    }

    /// Sets the interval and the timeout of keep-alive pings, which detect dead connections. The defaults are 20 s and 10 s.
    ///
    /// After `interval` without data, the client sends a ping. It closes the connection if there is no reply within `timeout`. HTTP/2
    /// connections send pings even if no request is running. HTTP/1.1 has no pings, so the client uses TCP keep-alive, in whole seconds. An
    /// `interval` of zero disables both.
    ///
    /// Some gRPC servers close the connection of a client that pings too often (`too_many_pings`). Many of them allow one ping in five
    /// minutes by default: use a longer interval for such a server.
    pub fn keep_alive(mut self, interval: Duration, timeout: Duration) -> Self {
        self.keep_alive_interval = interval.min(MAX_DURATION);
        self.keep_alive_timeout = timeout.min(MAX_DURATION);
        self
    }

    /// Sets a function that returns the variables for the [proxies](super#proxies). It replaces the environment.
    ///
    /// ```
    /// use tower_oauth2::https;
    ///
    /// let proxy = "http://user:password@proxy.example.com:3128";
    /// let builder = https::builder().proxies_from(|name| (name == "HTTPS_PROXY").then(|| proxy.to_owned()));
    /// assert!(!format!("{builder:?}").contains("password"));
    /// ```
    pub fn proxies_from(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        self.variables = Some(ProxyVariables::read(|name| variable(name).map(Into::into)));
        self
    }

    /// Sets the certificate that the client presents in TLS handshakes: see [`client_with_identity`].
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// The errors of [`client`](super::client).
    pub fn build<B>(self) -> Result<HttpsClient<B>, Error>
    where
        B: Body + Send,
        B::Data: Buf + Send,
    {
        let proxies = Proxies::new(
            &self.variables.clone().unwrap_or_else(|| ProxyVariables::read(|name| std::env::var_os(name))),
        )?;
        let tls = certificates::tls_config()?;
        let mut to_hosts = tls.clone();
        if let Some(identity) = &self.identity {
            identity.add_to(&mut to_hosts);
        }
        let connector = Connector::new(self.tcp(), to_hosts, tls, proxies, self.connect_timeout);
        let connector = if self.identity.is_some() { connector.https_only() } else { connector };
        let keeps_alive = !self.keep_alive_interval.is_zero();
        Ok(Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http2_keep_alive_interval(keeps_alive.then_some(self.keep_alive_interval))
            .http2_keep_alive_timeout(self.keep_alive_timeout)
            .http2_keep_alive_while_idle(true)
            .build(connector))
    }

    fn tcp(&self) -> HttpConnector {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // The timeout is divided among the addresses of a name, so that time is left for the next address if one does not respond.
        tcp.set_connect_timeout(Some(self.connect_timeout));
        if !self.keep_alive_interval.is_zero() {
            // The system rounds down to seconds.
            let seconds = |duration: Duration| duration.max(Duration::from_secs(1));
            tcp.set_keepalive(Some(seconds(self.keep_alive_interval)));
            tcp.set_keepalive_interval(Some(seconds(self.keep_alive_timeout / PROBES)));
            tcp.set_keepalive_retries(Some(PROBES));
            // The system sends no probes while data is unacknowledged. This timeout covers that case.
            #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
            tcp.set_tcp_user_timeout(Some(seconds(self.keep_alive_interval.saturating_add(self.keep_alive_timeout))));
        }
        tcp
    }
}

/// The number of unanswered TCP keep-alive probes after which the connection is closed.
const PROBES: u32 = 2;
