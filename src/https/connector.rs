//! Connects through the proxy, with TLS, and within the timeout.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use tower::BoxError;
use tower_service::Service;

use super::connection::Connection;
use super::proxy_connector::ProxyConnector;
use super::routing::{Proxies, ProxyRoute};

/// The type of the client: hyper's client, which connects by the [`Connector`] of this module.
///
/// It is a `Service<http::Request<B>>`. Clones share the connection pool.
pub type HttpsClient<B> = Client<Connector, B>;

/// The connector that opens the connections of an [`HttpsClient`]. It is public only so that its type can be named.
#[derive(Clone)]
pub struct Connector {
    tls: HttpsConnector<ProxyConnector>,
    proxies: Arc<Proxies>,
    timeout: Duration,
}

impl Connector {
    /// Creates a connector. The TLS configurations for hosts and proxies are separate, so that a client certificate is never presented to a
    /// proxy.
    pub(super) fn new(
        tcp: HttpConnector,
        to_hosts: ClientConfig,
        to_proxies: ClientConfig,
        proxies: Proxies,
        timeout: Duration,
    ) -> Self {
        let proxies = Arc::new(proxies);
        let to_proxy = HttpsConnector::from((tcp.clone(), to_proxies));
        let dial = ProxyConnector::new(tcp, to_proxy, proxies.clone());
        let builder = HttpsConnectorBuilder::new().with_tls_config(to_hosts).https_or_http().enable_all_versions();
        Self { tls: builder.wrap_connector(dial), proxies, timeout }
    }

    /// Rejects `http://` addresses, for which the client certificate would not be used.
    pub(super) fn https_only(mut self) -> Self {
        self.tls.enforce_https();
        self
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tls.poll_ready(cx)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let (route, timeout) = (self.proxies.route(&destination), self.timeout);
        let connecting = self.tls.call(destination);
        Box::pin(async move {
            match tokio::time::timeout(timeout, connecting).await {
                Ok(connected) => Ok(Connection::new(connected?, matches!(route, ProxyRoute::Forward(_)))),
                Err(_) => Err(TimedOut::new(timeout, &route).into()),
            }
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("proxies", &self.proxies).field("timeout", &self.timeout).finish()
    }
}

/// The connect timeout has expired.
#[derive(Debug)]
struct TimedOut(String);

impl TimedOut {
    fn new(timeout: Duration, route: &ProxyRoute) -> Self {
        Self(match route {
            ProxyRoute::Direct => format!("no connection within {timeout:?}"),
            ProxyRoute::Forward(proxy) | ProxyRoute::Tunnel(proxy) | ProxyRoute::Socks(proxy) => {
                format!("no connection within {timeout:?} through the proxy {proxy}")
            }
        })
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TimedOut {}
