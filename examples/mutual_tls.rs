//! A client with a certificate: mutual TLS (RFC 8705), with certificate files that are replaced while the program runs.
//!
//! ```text
//! cargo run --example mutual_tls --features https,file-source
//! ```
//!
//! The authorization server authenticates the client by its certificate and binds the token to it. The API accepts the token only over a
//! connection with the same certificate, so a stolen token is useless. When the files are replaced, the next handshake presents the new
//! certificate, and the layer gets a new token.
//!
//! Nothing else is needed. The servers run inside the program, on 127.0.0.1. The program starts itself a second time with `SSL_CERT_FILE`, to
//! trust the certificate authority that it has made.

#[path = "mutual_tls/pki.rs"]
mod pki;
#[path = "mutual_tls/server.rs"]
mod server;
mod support;

use std::{env, process::Command, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use pki::Pki;
use server::Server;
use support::check;
use tokio::time::sleep;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, retry::RetryLayer};
use tower_oauth2::{
    OAuth2Layer,
    client::Client,
    grant::ClientCredentials,
    https::{self, Identity},
    retry::RetryUnauthorized,
};

const CLIENT: &str = "robot";
const DIRECTORY: &str = "MUTUAL_TLS_DIRECTORY";

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let Some(directory) = env::var_os(DIRECTORY) else {
        let pki = Pki::create()?;
        let mut again = Command::new(env::current_exe()?);
        again.env(DIRECTORY, pki.directory()).env("SSL_CERT_FILE", pki.path("ca.pem")).env_remove("SSL_CERT_DIR");
        return check(again.status()?.success(), "the program with the certificate authority");
    };
    let pki = Pki::open(directory.into())?;
    let server = Server::start(&pki).await?;

    pki.issue_client_certificate(CLIENT)?;
    let identity = Identity::from_files(pki.path("client.pem"), pki.path("client.key"))?;
    let grant = ClientCredentials::new(server.url("/token"), Client::tls(CLIENT))?;
    let oauth = OAuth2Layer::new(grant).origin(server.url(""))?;
    let tokens = oauth.tokens();
    // Token requests go through the inner service, so they present the same certificate as requests to the API.
    let mut client = ServiceBuilder::new()
        .layer(RetryLayer::new(RetryUnauthorized::new()))
        .layer(oauth)
        .service(https::client_with_identity::<Full<Bytes>>(identity)?);
    let request = || Request::get(server.url("/orders")).body(Full::default());

    let status = client.ready().await?.call(request()?).await?.status();
    println!("with the first certificate:  {status}");
    check(status == 200, "the API accepts a token that is bound to the certificate")?;

    let stolen = tokens.get().await?;
    let mut thief = https::client_with_identity::<Full<Bytes>>(pki.identity_of("thief")?)?;
    let request_of_thief =
        Request::get(server.url("/orders")).header("authorization", format!("Bearer {}", stolen.access_token()));
    let status = thief.ready().await?.call(request_of_thief.body(Full::default())?).await?.status();
    println!("with the token of another:   {status}");
    check(status == 401, "the token is useless with another certificate")?;

    pki.issue_client_certificate(CLIENT)?;
    // A handshake looks at the files at most once a second.
    sleep(Duration::from_millis(1100)).await;
    let status = client.ready().await?.call(request()?).await?.status();
    println!("with the second certificate: {status}");
    check(status == 200, "the next handshake presents the new certificate, and a new token is bound to it")?;
    check(tokens.get().await?.access_token() != stolen.access_token(), "it is a new token")
}
