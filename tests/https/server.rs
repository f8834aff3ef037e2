//! A server that responds with the version and the path of the request, with TLS (HTTP/2 or HTTP/1.1) or without.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

use crate::child_process::certificate;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Starts a server with TLS, HTTP/2 and HTTP/1.1.
    pub(crate) async fn https() -> Self {
        Self::start(Some(acceptor(&["h2", "http/1.1"]))).await
    }

    /// Starts a server without TLS.
    pub(crate) async fn http() -> Self {
        Self::start(None).await
    }

    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), connections: Arc::default() };
        let connections = server.connections.clone();
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let tls = tls.clone();
                tokio::spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    // Tests close connections at any time, so errors are ignored.
                    let _ = match tls {
                        None => server.serve_connection(TokioIo::new(tcp), service_fn(respond)).await,
                        Some(tls) => {
                            let Ok(tls) = tls.accept(tcp).await else { return };
                            server.serve_connection(TokioIo::new(tls), service_fn(respond)).await
                        }
                    };
                });
            }
        });
        server
    }

    /// Returns the number of connections that were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Responds with a token to `/token`, and with text such as `HTTP/2.0 /path` to other requests.
async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = match request.uri().path() {
        "/token" => r#"{"access_token": "a-token", "expires_in": 3600}"#.to_owned(),
        path => format!("{:?} {path}", request.version()),
    };
    Ok(Response::new(Full::new(body.into())))
}

/// Returns a TLS acceptor with the certificate of the tests.
pub(crate) fn acceptor(protocols: &[&str]) -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_file(certificate()).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificate().with_file_name("key.pem")).unwrap();
    let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}
