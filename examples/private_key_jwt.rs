//! A client that signs: `private_key_jwt`, with a key file that is replaced while the program runs.
//!
//! ```text
//! cargo run --example private_key_jwt --features jwt,file-source
//! ```
//!
//! The client has no secret. For each token request it signs a token with its private key, and the server verifies it with the public key.
//! Another program replaces the key file, as a secret manager does. The next token request is signed with the new key, and the server can
//! remove the old one.
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use std::{env, fs, path::PathBuf};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Settings, check};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{
    ErrorKind, OAuth2Layer,
    client::Client,
    grant::ClientCredentials,
    jwt::{Key, KeyFile},
};

const CLIENT: &str = "robot";

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default()).await?;
    let api = Api::start(&server).await?;
    let file = KeyPath::new();
    file.replace(&server)?;

    let key = KeyFile::new(&file.0).thumbprint_as_id();
    let client = Client::private_key_jwt(CLIENT, key).audience(server.issuer());
    let oauth = OAuth2Layer::new(ClientCredentials::new(server.token_url(), client)?).origin(api.origin())?;
    let tokens = oauth.tokens();
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut client = ServiceBuilder::new().layer(oauth).service(http);
    let request = || Request::get(api.url("/orders")).body(Full::default());

    let status = client.ready().await?.call(request()?).await?.status();
    println!("with the first key:    {status}");
    check(status == 200, "the server accepts the signature of the first key")?;

    server.assertions().remove(CLIENT);
    tokens.invalidate();
    let rejection = tokens.get().await.err().ok_or("a key that the server does not know was accepted")?;
    println!("with a removed key:    {rejection}");
    check(rejection.kind() == ErrorKind::ClientRejected, "the server rejects the old key")?;

    file.replace(&server)?;
    // Without this call, requests would fail until the back-off has passed.
    let token = tokens.refresh().await?;
    let status = client.ready().await?.call(request()?).await?.status();
    println!("with the second key:   {status}");
    check(status == 200 && !token.access_token().is_empty(), "the next token request has the new key")
}

/// A key file in the directory for temporary files.
struct KeyPath(PathBuf);

impl KeyPath {
    fn new() -> Self {
        Self(env::temp_dir().join(format!("private_key_jwt-{}.pem", std::process::id())))
    }

    /// Writes a new key, and registers its public part at the server. A secret manager does both.
    fn replace(&self, server: &AuthServer) -> Result<(), BoxError> {
        let pem = Key::generate_pem()?;
        let key = Key::from_pem(&pem)?;
        let id = key.thumbprint().to_owned();
        server.assertions().register(CLIENT, &key.id(id).to_public_jwk());
        Ok(fs::write(&self.0, pem)?)
    }
}

impl Drop for KeyPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
