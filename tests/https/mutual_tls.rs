//! A server that requires a client certificate, and client certificates.
//!
//! It responds with the name in the client's certificate and the kind of the handshake, such as `client-one Full`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{
    HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion, crypto::ring, version::TLS13,
};

use crate::child_process::certificate;

/// The PEM files of a self-signed client certificate.
pub(crate) struct ClientCertificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl ClientCertificate {
    pub(crate) fn new(name: &str) -> Self {
        let folder = folder();
        let [certificate, key] = ["crt", "key"].map(|extension| folder.join(format!("{name}.{extension}")));
        let command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                       -addext basicConstraints=critical,CA:FALSE";
        let output = Command::new("openssl")
            .args(command.split_whitespace())
            .args(["-subj", &format!("/CN={name}")])
            .args(["-keyout".as_ref(), key.as_os_str(), "-out".as_ref(), certificate.as_os_str()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { certificate, key }
    }

    /// Returns the PEM texts of the certificate and the key.
    pub(crate) fn pem(&self) -> (String, String) {
        let read = |path| std::fs::read_to_string(path).unwrap();
        (read(&self.certificate), read(&self.key))
    }
}

/// Creates and returns a folder for the files of this process.
pub(crate) fn folder() -> PathBuf {
    let folder = certificate().with_file_name(format!("identities-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) struct MutualTls {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) version: &'static SupportedProtocolVersion,
    pub(crate) protocol: &'static str,
    /// Whether a connection is used for several requests.
    pub(crate) keep_alive: bool,
}

impl Options {
    /// Each client has one connection for all requests.
    pub(crate) const POOLED: Self = Self { version: &TLS13, protocol: "h2", keep_alive: true };
    /// Each request has a connection of its own.
    pub(crate) const NEW_CONNECTIONS: Self = Self { version: &TLS13, protocol: "http/1.1", keep_alive: false };
}

impl MutualTls {
    /// Starts a server that accepts these clients and no others.
    pub(crate) async fn start(clients: &[&ClientCertificate], options: Options) -> Self {
        let acceptor = acceptor(clients, true, options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server =
            Self { address: listener.local_addr().unwrap(), connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (server.connections.clone(), server.requests.clone());
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (acceptor, requests) = (acceptor.clone(), requests.clone());
                tokio::spawn(async move {
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let session = tls.get_ref().1;
                    let client = name(&session.peer_certificates().expect("the certificate is required")[0]);
                    let kind = session.handshake_kind().unwrap();
                    let mut server = auto::Builder::new(TokioExecutor::new());
                    server.http1().keep_alive(options.keep_alive);
                    let service = service_fn(move |request: Request<Incoming>| {
                        let path = request.uri().path().to_owned();
                        let response = respond(&path, &client, kind);
                        requests.lock().unwrap().push((path, client.clone()));
                        async { Ok::<_, Infallible>(response) }
                    });
                    // Tests close connections at any time, so errors are ignored.
                    let _ = server.serve_connection(TokioIo::new(tls), service).await;
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }

    /// Returns the number of connections that were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Returns the path and the client of each request.
    pub(crate) fn requests(&self) -> Vec<(String, String)> {
        self.requests.lock().unwrap().clone()
    }
}

fn respond(path: &str, client: &str, kind: HandshakeKind) -> Response<Full<Bytes>> {
    let body = match path {
        "/token" => r#"{"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600}"#.to_owned(),
        _ => format!("{client} {kind:?}"),
    };
    Response::new(Full::new(body.into()))
}

/// Returns the common name, which is the only text in the certificate that begins with `client-`.
fn name(certificate: &CertificateDer<'_>) -> String {
    let start = certificate.windows(7).position(|bytes| bytes == b"client-").unwrap();
    let is_part = |byte: &&u8| byte.is_ascii_lowercase() || **byte == b'-';
    certificate[start..].iter().take_while(is_part).map(|byte| char::from(*byte)).collect()
}

/// Returns a TLS acceptor that asks for a client certificate, and accepts those of `clients`.
pub(crate) fn acceptor(clients: &[&ClientCertificate], is_required: bool, options: Options) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for client in clients {
        roots.add(der(&client.certificate)).unwrap();
    }
    let mut verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    if !is_required {
        verifier = verifier.allow_unauthenticated();
    }
    let key = PrivateKeyDer::from_pem_file(certificate().with_file_name("key.pem")).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[options.version])
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![der(certificate())], key)
        .unwrap();
    config.alpn_protocols = vec![options.protocol.into()];
    TlsAcceptor::from(Arc::new(config))
}

fn der(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}
