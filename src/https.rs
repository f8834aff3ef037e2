//! A ready-made HTTPS client (feature `https`).

use bytes::Buf;
use http_body::Body;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// A hyper client for `https://` and `http://`, HTTP/2 and HTTP/1.1, which trusts the certificates that the system trusts.
///
/// It is there so that the layer has something to stand on; any other `Service` does as well. It pools connections, and
/// clones share the pool. TLS is rustls with ring, 1.2 and 1.3. The system's certificates are read when it is made, from
/// the system's store or from `SSL_CERT_FILE` and `SSL_CERT_DIR`.
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
///     .service(https::client::<Full<Bytes>>());
///
/// let request = http::Request::get("https://api.example.com/v1/things").body(Full::default())?;
/// let response = api.ready().await?.call(request).await?;
/// # drop(response);
/// # Ok(())
/// # }
/// ```
///
/// # Security
///
/// Where the system has no certificates, nothing is trusted and every `https://` request fails: there is no built-in list
/// to fall back to. Redirects are not followed.
pub fn client<B>() -> Client<HttpsConnector<HttpConnector>, B>
where
    B: Body + Send,
    B::Data: Buf + Send,
{
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls()).https_or_http().enable_all_versions().build();
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)
}

fn tls() -> ClientConfig {
    // The provider is named, so that no process-wide default is needed or set.
    let builder = || {
        ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_native_roots())
    };
    match builder() {
        Ok(Ok(trusting)) => trusting.with_no_client_auth(),
        _ => trusting_nobody(),
    }
}

/// What is left where the system has no certificates.
fn trusting_nobody() -> ClientConfig {
    ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .unwrap_or_else(|never| unreachable!("ring has cipher suites for TLS 1.2 and 1.3: {never}"))
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}
