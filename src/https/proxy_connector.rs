//! Connects to a host directly or through a proxy. TLS to the host is added by the connector above.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::BoxError;
use tower_service::Service;

use super::proxy::{Proxy, with_port};
use super::routing::{Proxies, ProxyRoute};

/// A TCP stream to the host, or a TCP or TLS stream to a proxy.
pub(super) type BaseStream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connects with the route of each destination.
#[derive(Clone)]
pub(super) struct ProxyConnector {
    tcp: HttpConnector,
    /// Connects to an HTTP proxy, with TLS if its address is `https`.
    to_proxy: HttpsConnector<HttpConnector>,
    proxies: Arc<Proxies>,
}

/// The connection through a proxy failed.
#[derive(Debug)]
struct ProxyError {
    message: String,
    source: Option<BoxError>,
}

type TunnelError = <Tunnel<HttpConnector> as Service<Uri>>::Error;
type SocksError = <SocksV5<HttpConnector> as Service<Uri>>::Error;

impl ProxyConnector {
    pub(super) fn new(tcp: HttpConnector, to_proxy: HttpsConnector<HttpConnector>, proxies: Arc<Proxies>) -> Self {
        Self { tcp, to_proxy, proxies }
    }

    async fn connect(mut self, destination: Uri) -> Result<BaseStream, BoxError> {
        match self.proxies.route(&destination) {
            ProxyRoute::Direct => Ok(MaybeHttpsStream::Http(self.tcp.call(destination).await?)),
            ProxyRoute::Forward(proxy) => {
                let connected = self.to_proxy.call(proxy.address().clone()).await;
                connected.map_err(|why| ProxyError::new(&proxy, "could not be reached", Some(why)).into())
            }
            ProxyRoute::Tunnel(proxy) => self.tunnel(&proxy, destination).await.map_err(Into::into),
            ProxyRoute::Socks(proxy) => {
                let mut socks = SocksV5::new(proxy.address().clone(), self.tcp);
                if let Some((user, password)) = proxy.raw_auth() {
                    socks = socks.with_auth(user.to_owned(), password.to_owned());
                }
                let connected = socks.call(with_default_port(&destination)).await;
                let wire = connected.map_err(|why| match why {
                    SocksError::Inner(why) => ProxyError::new(&proxy, "could not be reached", Some(why.into())),
                    why => {
                        let what = format!("did not connect to {}", host_and_port(&destination));
                        ProxyError::new(&proxy, what, Some(why.into()))
                    }
                })?;
                Ok(MaybeHttpsStream::Http(wire))
            }
        }
    }

    async fn tunnel(self, proxy: &Proxy, destination: Uri) -> Result<BaseStream, ProxyError> {
        let mut tunnel = Tunnel::new(proxy.address().clone(), self.to_proxy);
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        tunnel.call(with_default_port(&destination)).await.map_err(|why| match why {
            TunnelError::ConnectFailed(why) => ProxyError::new(proxy, "could not be reached", Some(why)),
            TunnelError::ProxyAuthRequired => {
                let what = match proxy.basic_auth() {
                    Some(_) => "rejected the user name and password in the variable (407)",
                    None => {
                        "requires a user name and password (407); put them into the variable, as in \
                         `http://user:password@proxy.example.com:3128`"
                    }
                };
                ProxyError::new(proxy, what, None)
            }
            why => {
                let what =
                    format!("did not open a tunnel to {}; it may forbid this destination", host_and_port(&destination));
                ProxyError::new(proxy, what, Some(why.into()))
            }
        })
    }
}

impl Service<Uri> for ProxyConnector {
    type Response = BaseStream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<BaseStream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The inner connectors are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        Box::pin(self.clone().connect(destination))
    }
}

impl ProxyError {
    fn new(proxy: &Proxy, what: impl fmt::Display, source: Option<BoxError>) -> Self {
        Self { message: format!("the proxy {proxy} {what}"), source }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&**self.source.as_ref()?)
    }
}

/// Adds the port of the scheme, because hyper-util assumes 443 for every destination without a port.
fn with_default_port(destination: &Uri) -> Uri {
    with_port(destination, if destination.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 })
}

fn host_and_port(destination: &Uri) -> String {
    with_default_port(destination).authority().map_or_else(String::new, ToString::to_string)
}
