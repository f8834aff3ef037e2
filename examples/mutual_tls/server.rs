//! An authorization server and an API on one port, with TLS that requires a certificate of the client.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};
use tower::BoxError;

use crate::{CLIENT, pki::Pki};

pub(crate) struct Server {
    port: u16,
}

/// The certificate to which each token is bound.
type Tokens = Arc<Mutex<HashMap<String, Vec<u8>>>>;

impl Server {
    pub(crate) async fn start(pki: &Pki) -> Result<Self, BoxError> {
        let tls = acceptor(pki)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = Self { port: listener.local_addr()?.port() };
        let tokens = Tokens::default();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (tls, tokens) = (tls.clone(), tokens.clone());
                tokio::spawn(async move {
                    let Ok(tls) = tls.accept(tcp).await else { return };
                    let certificate =
                        tls.get_ref().1.peer_certificates().map(|chain| chain[0].to_vec()).unwrap_or_default();
                    let service = service_fn(move |request| respond(request, certificate.clone(), tokens.clone()));
                    // Each request has a connection of its own, so each has a handshake.
                    let _ = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(tls), service).await;
                });
            }
        });
        Ok(server)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }
}

fn acceptor(pki: &Pki) -> Result<TlsAcceptor, BoxError> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.path("ca.pem"))?)?;
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
    let chain = vec![CertificateDer::from_pem_file(pki.path("server.pem"))?];
    let key = PrivateKeyDer::from_pem_file(pki.path("server.key"))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn respond(
    request: Request<Incoming>,
    certificate: Vec<u8>,
    tokens: Tokens,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut tokens = tokens.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, body) = match parts.uri.path() {
        "/token" => {
            let is_client = url::form_urlencoded::parse(&body).any(|(name, id)| name == "client_id" && id == CLIENT);
            // The name of the client is the common name of its certificate.
            let is_authenticated = certificate.windows(CLIENT.len()).any(|window| window == CLIENT.as_bytes());
            if is_client && is_authenticated {
                let token = format!("token-{}", tokens.len());
                tokens.insert(token.clone(), certificate);
                (StatusCode::OK, json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}))
            } else {
                (StatusCode::UNAUTHORIZED, json!({"error": "invalid_client"}))
            }
        }
        _ => {
            let token = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
            let is_bound = token.and_then(|token| tokens.get(token)).is_some_and(|bound| *bound == certificate);
            (if is_bound { StatusCode::OK } else { StatusCode::UNAUTHORIZED }, json!({"token_ok": is_bound}))
        }
    };
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    Ok(response)
}
