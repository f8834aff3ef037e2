//! A program that is restarted, with a stored login and a stored key.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::dpop::Dpop;
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::jwt::Key;
use tower_oauth2::store::FileStore;

use crate::authorization_code::at_oidc_provider;
use crate::dpop_service::Api;
use crate::oidc_provider;

/// A directory that is removed at the end of a test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn folder(name: &str) -> Folder {
    Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id())))
}

/// What a program does at its start: the layer, the key and the store are new, the files are not.
fn started(login: AuthorizationCode, pem: &str, store: &Path) -> Api {
    let dpop = Dpop::new(Key::from_pem(pem).unwrap());
    Api::new(login.dpop(dpop).persisted(FileStore::new(store)))
}

#[tokio::test]
async fn a_stored_login_is_used_with_its_key_and_found_with_no_other() {
    let Some(server) = oidc_provider::server().await else { return };
    let store = folder("dpop-restarts");
    let [pem, other_pem] = [Key::generate_pem().unwrap(), Key::generate_pem().unwrap()];
    // A login that must not happen.
    let without_login = || login(&server).browser(|url| panic!("the user would have to log in: {url}"));

    let first = started(login(&server), &pem, &store.0);
    first.get(server.get("API")).await.expect(1);
    let token = first.tokens.peek().unwrap();
    drop(first);

    let second = started(without_login(), &pem, &store.0);
    second.get(server.get("API")).await.expect(1);
    assert_eq!(second.tokens.peek().unwrap().access_token(), token.access_token());
    second.tokens.refresh().await.unwrap();
    second.get(server.get("API")).await.expect(1);
    drop(second);
    assert_eq!(server.counts().await["token"], json!({"authorization_code": 1, "refresh_token": 1}));

    let other = started(login(&server), &other_pem, &store.0);
    other.get(server.get("API")).await.expect(1);
    drop(other);
    assert_eq!(server.counts().await["token"], json!({"authorization_code": 2, "refresh_token": 1}));

    // Both logins are kept.
    for pem in [&pem, &other_pem] {
        let again = started(without_login(), pem, &store.0);
        again.tokens.refresh().await.unwrap();
        again.get(server.get("API")).await.expect(1);
    }
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"authorization_code": 2, "refresh_token": 3}), "{counts}");
}

/// The token has expired while the program did not run.
#[tokio::test]
async fn a_login_with_an_expired_token_is_refreshed_at_the_next_start() {
    let Some(server) = oidc_provider::server().await else { return };
    let store = folder("dpop-expired");
    let pem = Key::generate_pem().unwrap();
    let login = || at_oidc_provider(&server, Client::public("native-dpop-nonce-short"));
    started(login(), &pem, &store.0).tokens.get().await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let login = login().browser(|url| panic!("the user would have to log in: {url}"));
    let api = started(login, &pem, &store.0);
    api.get(server.get("API")).await.expect(1);
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"authorization_code": 1, "refresh_token": 1}), "{counts}");
}

fn login(server: &oidc_provider::ExclusiveServer) -> AuthorizationCode {
    at_oidc_provider(server, Client::public("native-dpop"))
}
