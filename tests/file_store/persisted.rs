//! A login in a file, used by a layer: it survives a restart, and a damaged file does not end it.

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

/// Like [`try_start`], but panics on failure.
async fn start(login: Persisted<RefreshToken, FileStore>, token_requests: &Arc<AtomicUsize>) -> String {
    try_start(login, token_requests).await.unwrap()
}

/// Sends a request through a new layer, like a program that has just started, and returns the access token that was sent.
async fn try_start(
    login: Persisted<RefreshToken, FileStore>,
    token_requests: &Arc<AtomicUsize>,
) -> Result<String, BoxError> {
    let calls = token_requests.clone();
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
    let response = OAuth2Layer::new(login).layer(inner).oneshot(request).await?;
    let body = http_body_util::BodyExt::collect(response.into_body()).await?.to_bytes();
    Ok(String::from_utf8(body.to_vec())?)
}

#[tokio::test]
async fn a_restart_needs_no_token_request() {
    let folder = Folder::new("starts");
    let store = FileStore::new(folder.path());
    let calls = Arc::default();
    assert_eq!(start(login(&store), &calls).await, "Bearer a1");
    assert_eq!(start(login(&store), &calls).await, "Bearer a1");
    login(&store).clear().await.unwrap();
    assert_eq!(start(login(&store), &calls).await, "Bearer a2");
}

/// Many concurrent starts, each with its own layer.
#[tokio::test]
async fn concurrent_starts_share_one_token_request() {
    let folder = Folder::new("starts-at-once");
    let store = FileStore::new(folder.path());
    let calls = Arc::default();
    let starts = futures_util::future::join_all((0..20).map(|_| start(login(&store), &calls))).await;
    assert!(starts.iter().all(|authorized| authorized == "Bearer a1"), "{starts:?}");
}

#[tokio::test]
async fn a_damaged_file_is_reported_and_the_token_stays_in_use() {
    let folder = Folder::new("starts-damaged");
    let path = folder.path().join("token.json");
    fs::write(&path, "{\"access_token\": ").unwrap();
    let reported = Arc::new(Mutex::new(Vec::new()));
    let errors = reported.clone();
    let login = login(&FileStore::new(&path)).refresh_without_store().on_store_error(move |error| {
        let cause = std::error::Error::source(error).unwrap();
        errors.lock().unwrap().push(format!("{error}: {cause}"));
    });
    assert_eq!(start(login, &Arc::default()).await, "Bearer a1");
    let reported = reported.lock().unwrap();
    // Two loads.
    assert_eq!(reported.len(), 2, "{reported:?}");
    assert!(reported.iter().all(|text| text.contains("token store") && text.contains("move it away")), "{reported:?}");
    assert_eq!(fs::read(&path).unwrap(), b"{\"access_token\": ");
}

/// A logout during a refresh of another process does not wait for the refresh lock.
#[tokio::test]
async fn a_logout_does_not_wait_for_a_refresh() {
    use tower_oauth2::store::TokenStore as _;
    let folder = Folder::new("logout");
    let store = FileStore::new(folder.path());
    let calls = Arc::default();
    start(login(&store), &calls).await;
    let _lock = store.lock(login(&store).key()).await.unwrap();
    login(&store).clear().await.unwrap();
    assert_eq!(login(&store).load().await.unwrap(), None);
}

/// A timeout of zero does not wait for a held lock, and takes a free one.
#[tokio::test]
async fn a_lock_timeout_of_zero_does_not_wait() {
    use tower_oauth2::store::TokenStore as _;
    let folder = Folder::new("no-wait");
    let store = FileStore::new(folder.path());
    let calls = Arc::default();
    let quick = || login(&store).lock_timeout(std::time::Duration::ZERO);
    assert_eq!(start(quick(), &calls).await, "Bearer a1");
    quick().clear().await.unwrap();
    let lock = store.lock(quick().key()).await.unwrap();
    let error = try_start(quick(), &calls).await.unwrap_err();
    assert!(error.to_string().contains("another process is refreshing this token"), "{error}");
    drop(lock);
    assert_eq!(start(quick(), &calls).await, "Bearer a2");
}

/// A damaged file is reported at once, and a logout removes it.
#[tokio::test(start_paused = true)]
async fn requests_do_not_wait_for_a_damaged_file() {
    let folder = Folder::new("starts-with-damage");
    let path = folder.path().join("token.json");
    fs::write(&path, "{\"access_token\": ").unwrap();
    let store = FileStore::new(&path);
    let began = tokio::time::Instant::now();
    let error = try_start(login(&store), &Arc::default()).await.unwrap_err();
    assert!(began.elapsed().as_secs() < 1, "{:?}", began.elapsed());
    let error = error.downcast::<tower_oauth2::Error>().unwrap();
    assert_eq!((error.kind(), error.is_transient()), (tower_oauth2::ErrorKind::Store, false));
    login(&store).clear().await.unwrap();
    assert_eq!(start(login(&store), &Arc::default()).await, "Bearer a1");
}

/// A login that was saved by another program, or by hand.
#[tokio::test]
async fn a_token_that_was_saved_by_hand_is_used_after_a_restart() {
    let folder = Folder::new("by-hand");
    let store = FileStore::new(folder.path());
    let stored = || RefreshToken::stored(TOKEN_URL, Client::public("app")).unwrap().persisted(store.clone());
    let token = tower_oauth2::Token::bearer("by-hand").unwrap().with_refresh_token("r");
    stored().save(token.clone()).await.unwrap();
    assert_eq!(stored().load().await.unwrap(), Some(token));
    assert_eq!(start(stored(), &Arc::default()).await, "Bearer by-hand");
}

/// Another process logs out after this one has sent the refresh token. The new token is not saved.
#[tokio::test]
async fn a_logout_during_a_refresh_is_final() {
    let folder = Folder::new("final");
    let store = FileStore::new(folder.path());
    start(login(&store), &Arc::default()).await;
    let logging_out = login(&store);
    let inner = service_fn(move |_: Request<Full<Bytes>>| {
        let logging_out = logging_out.clone();
        async move {
            logging_out.clear().await?;
            let body = json!({"access_token": "late", "refresh_token": "late", "expires_in": 3600}).to_string();
            Ok::<_, BoxError>(Response::new(Full::new(Bytes::from(body))))
        }
    });
    let tokens = OAuth2Layer::new(login(&store)).token_service(inner).tokens();
    assert_eq!(tokens.refresh().await.unwrap().access_token(), "late");
    assert_eq!(login(&store).load().await.unwrap(), None);
}
