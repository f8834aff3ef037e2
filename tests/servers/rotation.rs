//! Keys and assertions in files that are replaced between two token requests.

use std::fs;
use std::os::unix::fs::symlink;

use http::StatusCode;
use serde_json::json;
use tower_oauth2::jwt::{Claims, Key, KeyFile};
use tower_oauth2::{ErrorKind, OAuth2Layer, Tokens, client::Client, grant::ClientCredentials};

use crate::oidc_provider::{ExclusiveServer, server};
use crate::registration::{Directory, Registered, jwks};
use crate::{glewlwyd, plain};

#[tokio::test]
async fn oidc_provider_accepts_a_replaced_key_and_rejects_the_old_one() {
    let Some(server) = server().await else { return };
    let directory = Directory::new("rotated-key");
    let [old, new] = [(); 2].map(|()| Key::generate_pem().unwrap());
    let registered = register(&server, &old).await;
    let file = directory.write("key.pem", &old);
    let issuer = server.get("ISSUER");
    let signing = |key: KeyFile| Client::private_key_jwt(registered.id(), key.thumbprint_as_id()).audience(issuer);
    let tokens = at_oidc_provider(&server, signing(KeyFile::new(&file)));
    let first = tokens.get().await.unwrap();

    registered.set_keys(plain::client(), jwks(&new)).await;
    fs::write(&file, &new).unwrap();
    let second = tokens.refresh().await.unwrap();
    assert_ne!(first.access_token(), second.access_token());

    let old_file = directory.write("old.pem", &old);
    let error = at_oidc_provider(&server, signing(KeyFile::new(old_file))).get().await.unwrap_err();
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::ClientRejected, "invalid_client"));
}

/// Each assertion is accepted once, so the second request fails until the file is replaced.
#[tokio::test]
async fn oidc_provider_accepts_an_assertion_file_that_kubernetes_replaces() {
    let Some(server) = server().await else { return };
    let directory = Directory::new("assertion");
    let key = Key::generate_pem().unwrap();
    let registered = register(&server, &key).await;
    let claims = Claims::signed_by(Key::from_pem(&key).unwrap())
        .issuer(registered.id())
        .subject(registered.id())
        .audience(server.get("ISSUER"));
    for version in ["one", "two"] {
        fs::create_dir(directory.path(version)).unwrap();
        fs::write(directory.path(version).join("token"), claims.sign().await.unwrap()).unwrap();
    }
    symlink("one", directory.path("..data")).unwrap();
    symlink("..data/token", directory.path("token")).unwrap();

    let client = Client::assertion_file(registered.id(), directory.path("token"));
    at_oidc_provider(&server, client.clone()).get().await.unwrap();
    let error = at_oidc_provider(&server, client.clone()).get().await.unwrap_err();
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::ClientRejected, "invalid_client"));

    symlink("two", directory.path("..data_tmp")).unwrap();
    fs::rename(directory.path("..data_tmp"), directory.path("..data")).unwrap();
    fs::remove_dir_all(directory.path("one")).unwrap();
    at_oidc_provider(&server, client).get().await.unwrap();
}

#[tokio::test]
async fn glewlwyd_accepts_a_replaced_key_and_rejects_the_old_one() {
    let Some(server) = glewlwyd::server().await else { return };
    let directory = Directory::new("rotated-rsa-key");
    let registered = fs::read_to_string(server.get("CLIENT_KEY_RS256")).unwrap();
    let other = include_str!("../signing/keys/rsa2048.pkcs8.pem");
    let file = directory.write("key.pem", other);
    // One client and its key file for all requests.
    let client = Client::private_key_jwt("cc-jwt", KeyFile::new(&file)).audience(server.token_url("OIDC"));
    for (key, is_accepted) in [(other, false), (&registered, true), (other, false)] {
        fs::write(&file, key).unwrap();
        let token = glewlwyd::tokens(&server, "OIDC", client.clone()).get().await;
        match token {
            Ok(_) => assert!(is_accepted),
            Err(error) => assert_eq!((error.status(), is_accepted), (Some(StatusCode::FORBIDDEN), false), "{error}"),
        }
    }
}

async fn register(server: &ExclusiveServer, key: &str) -> Registered {
    let metadata = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(key) });
    Registered::new(plain::client(), server.get("REGISTRATION"), metadata).await
}

fn at_oidc_provider(server: &ExclusiveServer, client: Client) -> Tokens {
    let grant = ClientCredentials::new(server.get("TOKEN"), client).unwrap();
    OAuth2Layer::new(grant.scope("api:read").unwrap()).token_service(plain::client()).tokens()
}
