//! A login in a file, through the layer: it goes on at the next start, and what is wrong with the file costs nobody theirs.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::OAuth2Layer;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{Persisted, RefreshToken};
use tower_oauth2::store::FileStore;

use crate::support::Folder;

const TOKEN_URL: &str = "https://auth.example.com/token";

fn login(store: &FileStore) -> Persisted<RefreshToken, FileStore> {
    RefreshToken::new(TOKEN_URL, Client::public("app"), "r0").unwrap().persisted(store.clone())
}

/// Sends a request through a layer of its own, as a program does that starts: what it was authorized with.
async fn start(login: Persisted<RefreshToken, FileStore>, token_calls: &Arc<AtomicUsize>) -> String {
    let calls = token_calls.clone();
    let inner = service_fn(move |request: Request<Full<Bytes>>| {
        let body = if request.uri() == TOKEN_URL {
            let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
            json!({"access_token": format!("a{call}"), "refresh_token": format!("r{call}"), "expires_in": 3600})
                .to_string()
        } else {
            request.headers()["authorization"].to_str().unwrap().to_owned()
        };
        async move { Ok::<_, BoxError>(Response::new(Full::new(Bytes::from(body)))) }
    });
    let request = Request::get("https://api.example.com/").body(Full::default()).unwrap();
    let response = OAuth2Layer::new(login).layer(inner).oneshot(request).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn the_next_start_needs_no_token_call() {
    let folder = Folder::new("starts");
    let store = FileStore::new(folder.path());
    let calls = Arc::default();
    assert_eq!(start(login(&store), &calls).await, "Bearer a1");
    assert_eq!(start(login(&store), &calls).await, "Bearer a1");
    login(&store).clear().await.unwrap();
    assert_eq!(start(login(&store), &calls).await, "Bearer a2");
}

/// Many at once, each with a layer of its own.
#[tokio::test]
async fn all_starts_at_once_make_one_token_call() {
    let folder = Folder::new("starts-at-once");
    let store = FileStore::new(folder.path());
    let calls = Arc::default();
    let starts = futures_util::future::join_all((0..20).map(|_| start(login(&store), &calls))).await;
    assert!(starts.iter().all(|authorized| authorized == "Bearer a1"), "{starts:?}");
}

#[tokio::test]
async fn a_damaged_file_is_told_of_and_costs_nobody_their_token() {
    let folder = Folder::new("starts-damaged");
    let path = folder.path().join("token.json");
    fs::write(&path, "{\"access_token\": ").unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = told.clone();
    let login = login(&FileStore::new(&path)).renew_without_store().on_store_error(move |error| {
        let cause = std::error::Error::source(error).unwrap();
        ear.lock().unwrap().push(format!("{error}: {cause}"));
    });
    assert_eq!(start(login, &Arc::default()).await, "Bearer a1");
    let told = told.lock().unwrap();
    // Two looks.
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|told| told.contains("token store") && told.contains("move it away")), "{told:?}");
    assert_eq!(fs::read(&path).unwrap(), b"{\"access_token\": ");
}

/// Logged out while the token is being renewed elsewhere: the lock for the turn is not waited for.
#[tokio::test]
async fn a_logout_waits_for_nobody() {
    use tower_oauth2::store::TokenStore as _;
    let folder = Folder::new("logout");
    let store = FileStore::new(folder.path());
    let calls = Arc::default();
    start(login(&store), &calls).await;
    let _turn = store.lock(login(&store).key()).await.unwrap();
    login(&store).clear().await.unwrap();
    assert_eq!(login(&store).load().await.unwrap(), None);
}
