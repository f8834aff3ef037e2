//! Mutual TLS at oidc-provider (RFC 8705): both methods, certificate-bound tokens, and certificate files that are replaced.

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::retry::RetryLayer;
use tower::{BoxError, Layer};
use tower_oauth2::endpoint::Issuer;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::https::{self, HttpsClient, Identity};
use tower_oauth2::{Error, ErrorKind, OAuth2, OAuth2Layer, Token, client::Client, retry::RetryUnauthorized};

use crate::https::{ISSUER, run_in_subprocess};
use crate::oidc_provider::server;
use crate::plain::{get, send};
use crate::registration::{Directory, Registered, jwks};

type Http = HttpsClient<Full<Bytes>>;

/// Runs the test again in a process that trusts the server, and returns the issuer in that process.
async fn issuer(test: &str) -> Option<String> {
    if let Ok(issuer) = std::env::var(ISSUER) {
        return Some(issuer);
    }
    let server = server().await?;
    run_in_subprocess(test, server.get("HTTPS_CA"), server.get("HTTPS_ISSUER"));
    None
}

/// Returns the identity in a file of the server's folder of keys.
fn identity(name: &str) -> Identity {
    let path = std::env::var("SSL_CERT_FILE").unwrap();
    let path = Path::new(&path).with_file_name(format!("{name}-bundle.pem"));
    Identity::from_files(&path, &path).unwrap()
}

fn http(identity: Identity) -> Http {
    https::client_with_identity(identity).unwrap()
}

fn api(issuer: &str, id: &str, http: Http) -> OAuth2<Http, ClientCredentials> {
    let grant = ClientCredentials::new(format!("{issuer}/token"), Client::tls(id)).unwrap();
    OAuth2Layer::new(grant.scope("api:read").unwrap()).layer(http)
}

async fn echo(issuer: &str, api: &OAuth2<Http, ClientCredentials>) -> Result<(StatusCode, Value), BoxError> {
    send(api.clone(), get(&format!("{issuer}/api/echo"))).await
}

async fn send_token(issuer: &str, http: Http, token: &Token) -> StatusCode {
    let mut request = get(&format!("{issuer}/api/echo"));
    let value = format!("Bearer {}", token.access_token());
    request.headers_mut().insert(http::header::AUTHORIZATION, value.parse().unwrap());
    send(http, request).await.unwrap().0
}

#[tokio::test]
async fn the_tokens_of_both_methods_are_bound_to_the_certificate() {
    let Some(issuer) = issuer("mutual_tls::the_tokens_of_both_methods_are_bound_to_the_certificate").await else {
        return;
    };
    for (id, own, other) in
        [("cc-mtls", "mtls-client", "mtls-selfsigned"), ("cc-mtls-selfsigned", "mtls-selfsigned", "mtls-client")]
    {
        let api = api(&issuer, id, http(identity(own)));
        let (status, echo) = echo(&issuer, &api).await.unwrap();
        assert_eq!((status, &echo["client_id"]), (StatusCode::OK, &id.into()), "{echo}");
        assert!(echo["certificate"].is_string(), "the token has a `cnf`: {echo}");

        // The server is the same for clients with another certificate and without one.
        let token = api.tokens().peek().unwrap();
        assert_eq!(send_token(&issuer, http(identity(own)), &token).await, StatusCode::OK);
        assert_eq!(send_token(&issuer, http(identity(other)), &token).await, StatusCode::UNAUTHORIZED);
        assert_eq!(send_token(&issuer, https::client().unwrap(), &token).await, StatusCode::UNAUTHORIZED);
    }
}

/// The alias of the token endpoint differs in its host.
#[tokio::test]
async fn the_discovered_alias_is_used_for_clients_with_a_certificate() {
    let test = "mutual_tls::the_discovered_alias_is_used_for_clients_with_a_certificate";
    let Some(issuer) = issuer(test).await else { return };
    let stats = format!("{issuer}/_test/stats");
    let plain = Issuer::new(&issuer).unwrap();
    let basic = Client::basic("cc-basic", "cc-basic-secret");
    for (issuer, client, host) in [
        (plain.clone(), Client::tls("cc-mtls"), "127.0.0.1"),
        (plain.clone().mtls_endpoints(), basic.clone(), "127.0.0.1"),
        (plain, basic, "localhost"),
    ] {
        let http = http(identity("mtls-client"));
        send(http.clone(), Request::post(&stats).body(Full::default()).unwrap()).await.unwrap();
        let grant = ClientCredentials::from_issuer(issuer, client).unwrap();
        OAuth2Layer::new(grant).token_service(http.clone()).tokens().get().await.unwrap();
        let counts = send(http, get(&stats)).await.unwrap().1;
        assert_eq!(counts["token_hosts"], json!({ host: 1 }), "{counts}");
    }
}

#[tokio::test]
async fn another_certificate_or_none_is_the_clients_fault() {
    let Some(issuer) = issuer("mutual_tls::another_certificate_or_none_is_the_clients_fault").await else { return };
    for (id, other) in [("cc-mtls", "mtls-selfsigned"), ("cc-mtls-selfsigned", "mtls-client")] {
        for http in [http(identity(other)), https::client().unwrap()] {
            let error = echo(&issuer, &api(&issuer, id, http)).await.unwrap_err().downcast::<Error>().unwrap();
            assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::ClientRejected, "invalid_client"));
        }
    }
}

#[tokio::test]
async fn certificate_files_are_replaced_while_requests_run() {
    let Some(issuer) = issuer("mutual_tls::certificate_files_are_replaced_while_requests_run").await else { return };
    let directory = Directory::new("client-certificates");
    let [old, new] = ["old", "new"].map(|name| create_certificate(&directory, name));
    let (certificate, key) = (directory.write("tls.crt", &old.0), directory.write("tls.key", &old.1));
    let registered = register(&issuer, [&old, &new]).await;
    let id = registered.id();

    let identity = Identity::from_files(&certificate, &key).unwrap();
    let pooled = api(&issuer, id, http(identity.clone()));
    let (status, first) = echo(&issuer, &pooled).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{first}");
    std::fs::write(&certificate, &new.0).unwrap();
    std::fs::write(&key, &new.1).unwrap();
    loop {
        // Each client has a pool of its own, so this one opens a new connection, and all of them share the files.
        let connected = api(&issuer, id, http(identity.clone()));
        let ((status, echo_of_new), pooled) =
            tokio::try_join!(echo(&issuer, &connected), echo(&issuer, &pooled)).unwrap();
        assert_eq!(
            (status, pooled.0, &pooled.1["certificate"]),
            (StatusCode::OK, StatusCode::OK, &first["certificate"])
        );
        if echo_of_new["certificate"] != first["certificate"] {
            break;
        }
    }

    registered.set_keys(https::client().unwrap(), json!({ "keys": [new.jwk()] })).await;
    let old = http(Identity::from_pem(&old.0, &old.1).unwrap());
    let error = echo(&issuer, &api(&issuer, id, old)).await.unwrap_err().downcast::<Error>().unwrap();
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::ClientRejected, "invalid_client"));
    assert_eq!(echo(&issuer, &api(&issuer, id, http(identity))).await.unwrap().0, StatusCode::OK);
}

/// The API rejects the token of the old certificate once.
#[tokio::test]
async fn a_client_with_a_new_certificate_gets_a_new_token_in_the_same_layer() {
    let test = "mutual_tls::a_client_with_a_new_certificate_gets_a_new_token_in_the_same_layer";
    let Some(issuer) = issuer(test).await else { return };
    let directory = Directory::new("two-certificates");
    let certificates = ["old", "new"].map(|name| create_certificate(&directory, name));
    let registered = register(&issuer, [&certificates[0], &certificates[1]]).await;
    let grant = ClientCredentials::new(format!("{issuer}/token"), Client::tls(registered.id())).unwrap();
    let layer = OAuth2Layer::new(grant.scope("api:read").unwrap());
    let mut bound_to = Vec::new();
    for Certificate(certificate, key) in &certificates {
        let http = http(Identity::from_pem(certificate, key).unwrap());
        let api = RetryLayer::new(RetryUnauthorized::new()).layer(layer.layer(http));
        let (status, echo) = send(api, get(&format!("{issuer}/api/echo"))).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{echo}");
        bound_to.push(echo["certificate"].as_str().unwrap().to_owned());
    }
    assert_ne!(bound_to[0], bound_to[1]);
}

/// Registers a client with these certificates.
async fn register(issuer: &str, certificates: [&Certificate; 2]) -> Registered {
    let metadata = json!({
        "token_endpoint_auth_method": "self_signed_tls_client_auth",
        "tls_client_certificate_bound_access_tokens": true,
        "jwks": { "keys": certificates.map(Certificate::jwk) },
    });
    Registered::new(https::client().unwrap(), &format!("{issuer}/reg"), metadata).await
}

/// The PEM texts of a certificate and its key.
struct Certificate(String, String);

impl Certificate {
    /// Returns the public key with the certificate, as the server compares them.
    fn jwk(&self) -> Value {
        let mut jwk = jwks(&self.1)["keys"][0].clone();
        let base64: String = self.0.lines().filter(|line| !line.starts_with("-----")).collect();
        jwk["x5c"] = json!([base64]);
        jwk
    }
}

fn create_certificate(directory: &Directory, name: &str) -> Certificate {
    let [certificate, key] = ["crt", "key"].map(|extension| directory.path(&format!("{name}.{extension}")));
    let output = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=rotated".split(' '))
        .args(["-keyout".as_ref(), key.as_os_str(), "-out".as_ref(), certificate.as_os_str()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |path| std::fs::read_to_string(path).unwrap();
    Certificate(read(certificate), read(key))
}
