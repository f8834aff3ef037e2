//! The client's own certificate: to which servers it is presented, and what happens to connections.

use std::path::Path;

use bytes::Bytes;
use http_body_util::Full;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tower::{Layer, ServiceExt};
use tower_oauth2::https::{self, Identity};
use tower_oauth2::{ErrorKind, OAuth2Layer, client, grant::ClientCredentials};

use crate::child_process::in_child;
use crate::mutual_tls::{ClientCertificate, MutualTls, Options, acceptor};
use crate::proxy::{Proxy, Rules};
use crate::requests::{get, report, with};
use crate::server::Server;

fn identity(of: &ClientCertificate) -> Identity {
    let (certificate, key) = of.pem();
    Identity::from_pem(certificate, key).unwrap()
}

#[test]
fn token_and_api_requests_present_the_same_certificate() {
    in_child("identity::token_and_api_requests_present_the_same_certificate", async || {
        let one = ClientCertificate::new("client-one");
        let server = MutualTls::start(&[&one], Options::NEW_CONNECTIONS).await;
        let grant = ClientCredentials::new(server.url() + "token", client::Client::tls("id")).unwrap();
        let api = OAuth2Layer::new(grant).layer(https::client_with_identity(identity(&one)).unwrap());
        let request = http::Request::get(server.url() + "api").body(Full::<Bytes>::default()).unwrap();
        assert_eq!(api.oneshot(request).await.unwrap().status(), 200);
        let expected = ["/token", "/api"].map(|path| (path.to_owned(), "client-one".to_owned()));
        assert_eq!(server.requests(), expected);
    });
}

#[test]
fn a_server_that_requires_a_certificate_rejects_a_client_without_one() {
    in_child("identity::a_server_that_requires_a_certificate_rejects_a_client_without_one", async || {
        let server = MutualTls::start(&[&ClientCertificate::new("client-one")], Options::POOLED).await;
        let other = with(&[]).identity(identity(&ClientCertificate::new("client-other"))).build().unwrap();
        for client in [with(&[]).build().unwrap(), other] {
            get(&client, server.url()).await.unwrap_err();
        }
        assert!(server.requests().is_empty());
    });
}

#[test]
fn the_hint_of_a_rejected_certificate_is_about_the_client() {
    in_child("identity::the_hint_of_a_rejected_certificate_is_about_the_client", async || {
        // In TLS 1.2 the client waits for the server, so the alert arrives before the connection is closed.
        let options = Options { version: &TLS12, ..Options::POOLED };
        let server = MutualTls::start(&[&ClientCertificate::new("client-one")], options).await;
        let grant = ClientCredentials::new(server.url() + "token", client::Client::tls("id")).unwrap();
        let other = with(&[]).identity(identity(&ClientCertificate::new("client-other"))).build().unwrap();
        for http in [with(&[]).build::<Full<Bytes>>().unwrap(), other] {
            let error = OAuth2Layer::new(grant.clone()).token_service(http).tokens().get().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Transport);
            assert!(error.hint().contains("client certificate"), "{error}");
        }
    });
}

#[test]
fn a_client_with_a_certificate_sends_nothing_without_tls() {
    in_child("identity::a_client_with_a_certificate_sends_nothing_without_tls", async || {
        let server = Server::http().await;
        let proxy = Proxy::start(Rules::to(server.address)).await;
        let one = ClientCertificate::new("client-one");
        let client = with(&[("HTTP_PROXY", &format!("http://{}", proxy.address))]).identity(identity(&one));
        let client = client.build().unwrap();
        for url in [format!("http://{}/", server.address), "http://api.example.com/".to_owned()] {
            let error = report(&*get(&client, url).await.unwrap_err());
            assert!(error.contains("scheme"), "{error}");
        }
        assert_eq!((server.connections(), proxy.lines().len()), (0, 0));
    });
}

#[test]
fn the_certificate_is_presented_to_the_server_and_not_to_the_proxy() {
    in_child("identity::the_certificate_is_presented_to_the_server_and_not_to_the_proxy", async || {
        let one = ClientCertificate::new("client-one");
        let server = MutualTls::start(&[&one], Options::POOLED).await;
        let tls = Some(acceptor(&[&one], false, Options::NEW_CONNECTIONS));
        let proxy = Proxy::start(Rules { tls, ..Rules::to(server.address) }).await;
        let variables = [("HTTPS_PROXY", &*format!("https://localhost:{}", proxy.address.port()))];
        let client = with(&variables).identity(identity(&one)).build().unwrap();
        assert_eq!(get(&client, "https://api.example.com/").await.unwrap(), "client-one Full");
        assert_eq!(proxy.lines(), ["CONNECT api.example.com:443 HTTP/1.1"]);
        assert_eq!(proxy.client_certificates(), 0);
    });
}

#[test]
fn two_identities_never_share_a_connection() {
    in_child("identity::two_identities_never_share_a_connection", async || {
        let [one, two] = ["client-one", "client-two"].map(ClientCertificate::new);
        let server = MutualTls::start(&[&one, &two], Options::POOLED).await;
        let builder = with(&[]);
        let clients = [&one, &two].map(|of| builder.clone().identity(identity(of)).build().unwrap());
        for _ in 0..3 {
            for (client, name) in clients.iter().zip(["client-one", "client-two"]) {
                assert_eq!(get(client, server.url()).await.unwrap(), format!("{name} Full"));
            }
        }
        assert_eq!(server.connections(), 2);
    });
}

#[test]
fn each_connection_has_a_full_handshake_without_resumption() {
    in_child("identity::each_connection_has_a_full_handshake_without_resumption", async || {
        let one = ClientCertificate::new("client-one");
        for version in [&TLS12, &TLS13] {
            let server = MutualTls::start(&[&one], Options { version, ..Options::NEW_CONNECTIONS }).await;
            for (identity, second) in
                [(identity(&one), "client-one Resumed"), (identity(&one).without_resumption(), "client-one Full")]
            {
                let client = with(&[]).identity(identity).build().unwrap();
                for expected in ["client-one Full", second, second] {
                    assert_eq!(get(&client, server.url()).await.unwrap(), expected, "{version:?}");
                }
            }
        }
    });
}

// ===== what cannot be presented =====

fn pem(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signing/keys");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn an_identity_that_cannot_be_used_is_an_error_without_the_key() {
    let (certificate, key) = (pem("p256.certificate.pem"), pem("p256.pkcs8.pem"));
    let with_key = |key: &str| (certificate.clone(), key.to_owned());
    for ((certificate, key), why) in [
        ((String::new(), key.clone()), "no certificate"),
        ((key.clone(), key.clone()), "no certificate"),
        ((certificate[..certificate.len() / 2].to_owned(), key.clone()), "not valid"),
        (("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), key.clone()), "cannot be used"),
        (with_key(""), "no private key"),
        (with_key(&certificate), "no private key"),
        (with_key(&key[..key.len() / 2]), "no private key"),
        (with_key(&pem("p256.public.pem")), "no private key"),
        (with_key(&pem("encrypted.pkcs8.pem")), "decrypt"),
        (with_key(&pem("encrypted.sec1.pem")), "decrypt"),
        (with_key(&pem("p384.pkcs8.pem")), "does not belong"),
        (with_key(&pem("rsa2048.pkcs8.pem")), "does not belong"),
        (with_key(&pem("secp256k1.pkcs8.pem")), "cannot be used"),
    ] {
        let error = Identity::from_pem(certificate, &key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{why}");
        let text = format!("{} {error:?}", report(&error));
        assert!(text.contains(why), "{why}: {text}");
        for line in key.lines().filter(|line| !line.is_empty() && !line.starts_with("-----")) {
            assert!(!text.contains(line), "{text}");
        }
    }
}

#[test]
fn the_debug_output_of_an_identity_has_no_key_and_no_certificate() {
    let identity = Identity::from_pem(pem("p256.certificate.pem"), pem("p256.pkcs8.pem")).unwrap();
    assert_eq!(format!("{identity:?}"), "Identity { resumes: true, .. }");
    let builder = format!("{:?}", https::builder().identity(identity));
    assert!(builder.contains("identity: Some(Identity { resumes: true, .. })"), "{builder}");
}

#[cfg(feature = "file-source")]
#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signing/keys");
    let (certificate, key) = (folder.join("p256.certificate.pem"), folder.join("p256.pkcs8.pem"));
    Identity::from_files(&certificate, &key).unwrap();
    let missing = folder.join("not-there.pem");
    for (certificate, key) in [(&missing, &key), (&certificate, &missing)] {
        let error = Identity::from_files(certificate, key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("not-there.pem"), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[cfg(feature = "file-source")]
#[test]
fn a_file_that_is_too_long_or_not_regular_is_an_error_that_names_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signing/keys");
    let (certificate, key) = (folder.join("p256.certificate.pem"), folder.join("p256.pkcs8.pem"));
    let long = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("identity-{}.pem", std::process::id()));
    let mut content = std::fs::read(&certificate).unwrap();
    for (length, is_accepted) in [(1024 * 1024, true), (1024 * 1024 + 1, false)] {
        content.resize(length, b'\n');
        std::fs::write(&long, &content).unwrap();
        let identity = Identity::from_files(&long, &key);
        assert_eq!(identity.is_ok(), is_accepted, "{length}");
        if let Err(error) = identity {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.to_string().contains(long.to_str().unwrap()), "{error}");
        }
    }
    std::fs::remove_file(long).unwrap();
    let error = Identity::from_files(&folder, &key).unwrap_err();
    assert!(error.kind() == ErrorKind::Configuration && error.to_string().contains("signing/keys"), "{error}");
}
