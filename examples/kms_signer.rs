//! A key that never leaves a key management service: a `Signer` of your own, with a key that rotates.
//!
//! ```text
//! cargo run --example kms_signer --features jwt
//! ```
//!
//! The KMS is a task behind a channel. It signs with its current key, names the key of each signature, and returns the signature in DER, as KMSs
//! and HSMs do. It replaces its key after each signature.
//!
//! Nothing else is needed. The KMS, the authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::json;
use support::{Api, AuthServer, Settings, check};
use tokio::sync::{mpsc, oneshot};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{
    Error, ErrorKind, OAuth2Layer,
    client::Client,
    grant::ClientCredentials,
    jwt::{Algorithm, Draft, Signed, Signer, raw_from_der},
};

const CLIENT: &str = "robot";

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default()).await?;
    let api = Api::start(&server).await?;
    let (kms, public_keys) = Kms::start(3)?;
    // The administrator registers all keys of the KMS.
    public_keys.iter().for_each(|jwk| server.assertions().register(CLIENT, jwk));

    let client = Client::private_key_jwt(CLIENT, kms).audience(server.issuer());
    let oauth = OAuth2Layer::new(ClientCredentials::new(server.token_url(), client)?).origin(api.origin())?;
    let tokens = oauth.tokens();
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut client = ServiceBuilder::new().layer(oauth).service(http);

    for _ in 0..public_keys.len() {
        let request = Request::get(api.url("/orders")).body(Full::default())?;
        let status = client.ready().await?.call(request).await?.status();
        println!("signed by the KMS: {status}");
        check(status == 200, "the server accepts the signature of each key")?;
        tokens.invalidate();
    }

    // The KMS has no key left, and closes its channel.
    let error = tokens.refresh().await.err().ok_or("a signature without a key")?;
    println!("without the KMS:   {error}");
    check(error.kind() == ErrorKind::Proof && error.is_transient(), "the layer tries again later")
}

/// A client of the KMS.
struct Kms(mpsc::Sender<Command>);

enum Command {
    /// Returns the id of the current key.
    CurrentKey(oneshot::Sender<String>),
    /// Signs with this key, and returns DER.
    Sign { key: String, bytes: Vec<u8>, signature: oneshot::Sender<Vec<u8>> },
}

impl Kms {
    async fn send<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Error> {
        let unreachable = || Error::caused_by(ErrorKind::Proof, "the KMS is not reachable");
        let (reply, response) = oneshot::channel();
        self.0.send(command(reply)).await.map_err(|_| unreachable())?;
        response.await.map_err(|_| unreachable())
    }

    /// Starts a KMS with so many keys, and returns their public parts.
    fn start(keys: usize) -> Result<(Self, Vec<String>), BoxError> {
        let random = SystemRandom::new();
        let mut pairs = Vec::new();
        for number in 0..keys {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(|_| "no key")?;
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
                .map_err(|why| why.to_string())?;
            pairs.push((format!("key-{number}"), pair));
        }
        let public_keys = pairs.iter().map(|(id, pair)| public_jwk(id, pair.public_key().as_ref())).collect();
        let (sender, commands) = mpsc::channel(8);
        tokio::spawn(serve(pairs, commands));
        Ok((Self(sender), public_keys))
    }
}

impl Signer for Kms {
    async fn sign(&self, draft: Draft) -> Result<Signed, Error> {
        let key = self.send(Command::CurrentKey).await?;
        let input = draft.header(Algorithm::Es256, Some(&key))?;
        let bytes = input.bytes().to_vec();
        let der = self.send(|signature| Command::Sign { key, bytes, signature }).await?;
        let signature = raw_from_der(Algorithm::Es256, &der)?;
        Ok(input.signed(&signature))
    }
}

/// The KMS itself. It ends when all keys have signed once.
async fn serve(mut keys: Vec<(String, EcdsaKeyPair)>, mut commands: mpsc::Receiver<Command>) {
    while !keys.is_empty() {
        match commands.recv().await {
            Some(Command::CurrentKey(reply)) => {
                let _ = reply.send(keys[0].0.clone());
            }
            Some(Command::Sign { key, bytes, signature }) => {
                let Some(at) = keys.iter().position(|(id, _)| *id == key) else { continue };
                let (_, pair) = keys.remove(at);
                if let Ok(der) = pair.sign(&SystemRandom::new(), &bytes) {
                    let _ = signature.send(der.as_ref().to_vec());
                }
            }
            None => return,
        }
    }
}

/// A public key as KMSs return it: the point, uncompressed.
fn public_jwk(id: &str, point: &[u8]) -> String {
    let (x, y) = point[1..].split_at(32);
    let coordinate = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "EC", "crv": "P-256", "x": coordinate(x), "y": coordinate(y), "kid": id}).to_string()
}
