//! No secret is recorded at any level, in any situation.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Context, DeviceCode, Grant, Password, RefreshToken, grant_fn};
use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};
use tracing_subscriber::fmt::format::FmtSpan;

use crate::log::Log;
use crate::support::{Body, answer, form, get, pass};

/// Part of each secret in these tests.
const WORD: &str = "hunter2";
/// The URL of a server may have a key in its query. Only the path is recorded.
const TOKEN_URL: &str = "https://auth.example.com/tenant/token?key=hunter2-query";
const DEVICE_URL: &str = "https://auth.example.com/tenant/device?key=hunter2-query";
const API_URL: &str = "https://api.example.com/hunter2-path?key=hunter2-query";

/// A server that repeats the request in each member of its response.
pub(crate) async fn echo(request: http::Request<Body>, status: u16) -> Result<http::Response<Body>, BoxError> {
    if status == 0 {
        return Err("connection failed: hunter2".into());
    }
    let path = request.uri().path().to_owned();
    if request.uri().host() == Some("api.example.com") {
        return Ok(answer(if status == 200 { 200 } else { 401 }, "hunter2-body"));
    }
    let sent = form(request).await.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(" ");
    Ok(match status {
        200 if path.ends_with("/device") => answer(
            200,
            json!({
                "device_code": "hunter2-device", "user_code": "hunter2-user", "expires_in": 60,
                "verification_uri": "https://example.com/hunter2", "extra": "hunter2-extra"
            }),
        ),
        200 => answer(
            200,
            json!({
                "access_token": "hunter2-access", "refresh_token": "hunter2-refresh", "expires_in": 600,
                "id_token": "hunter2-id", "scope": "hunter2-scope"
            }),
        ),
        418 => answer(200, "hunter2 is no token"),
        status => answer(
            status,
            json!({
                "error": if status == 400 { "invalid_grant" } else { &sent },
                "error_description": format!("hunter2 {sent}"),
                "error_uri": format!("https://e.example/?hunter2{sent}"), "access_token": sent
            }),
        ),
    })
}

/// A store whose errors contain secrets.
struct LeakyStore(MemoryStore);

impl TokenStore for LeakyStore {
    type Lock = <MemoryStore as TokenStore>::Lock;

    async fn load(&self, _: &Key) -> Result<Option<Entry>, BoxError> {
        Err("redis://user:hunter2@example.com is unreachable".into())
    }

    async fn save(&self, _: &Key, _: &Entry, _: &mut Self::Lock) -> Result<(), BoxError> {
        Err("could not save hunter2".into())
    }

    async fn clear(&self, _: &Key, _: u64) -> Result<(), BoxError> {
        Err("could not remove hunter2".into())
    }

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        self.0.lock(key).await
    }
}

/// Runs a layer with this grant through many situations.
async fn run<G: Grant>(grant: G) {
    let status = Arc::new(Mutex::new(200));
    let current = status.clone();
    let inner = service_fn(move |request| {
        let status = *current.lock().unwrap();
        echo(request, status)
    });
    let service = OAuth2Layer::new(grant).layer(inner);
    let tokens = service.tokens();
    for next in [0, 503, 418, 302, 403, 401, 400, 200, 0, 200, 503, 200, 401, 400, 200] {
        *status.lock().unwrap() = next;
        let two = (service.clone().oneshot(get(API_URL)), service.clone().oneshot(get(API_URL)));
        let _ = tokio::join!(two.0, two.1, tokio::time::timeout(Duration::ZERO, tokens.get()));
        let _ = service.clone().oneshot(get(API_URL)).await;
        // First the token is due, then it has expired.
        for _ in 0..2 {
            pass(Duration::from_secs(350)).await;
            let _ = service.clone().oneshot(get(API_URL)).await;
        }
        let _ = tokens.refresh().await;
    }
    tokens.set(Token::bearer("hunter2-set").unwrap().with_refresh_token("hunter2-refresh"));
    tokens.invalidate();
    let _ = tokens.get().await;
    tokens.forget();
    let _ = tokens.get().await;
}

#[tokio::test(start_paused = true)]
async fn none_at_any_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_writer(log.clone());
    let _subscriber = tracing::subscriber::set_default(subscriber.finish());
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recorder = metrics::set_default_local_recorder(&recorder);

    let post = || Client::post("id", "hunter2-post");
    run(ClientCredentials::new(TOKEN_URL, Client::basic("id", "hunter2-basic")).unwrap().param("key", "hunter2-param"))
        .await;
    run(Password::new(TOKEN_URL, post(), "alice", "hunter2-password").unwrap()).await;
    run(RefreshToken::new(TOKEN_URL, post(), "hunter2-refresh").unwrap().persisted(MemoryStore::new())).await;
    run(RefreshToken::new(TOKEN_URL, post(), "hunter2-refresh").unwrap().persisted(LeakyStore(MemoryStore::new())))
        .await;
    run(DeviceCode::new(DEVICE_URL, TOKEN_URL, post(), |_| {}).unwrap().relogin(true).pkce()).await;
    #[cfg(feature = "loopback")]
    run(tower_oauth2::grant::AuthorizationCode::new(DEVICE_URL, TOKEN_URL, post())
        .unwrap()
        .token(Token::bearer("hunter2-preset").unwrap().with_refresh_token("hunter2-refresh"))
        .browser(|_| {})
        .announce(|_| {})
        .relogin(true)
        .timeout(Duration::from_secs(1)))
    .await;
    let own = grant_fn(async |cx: Context| {
        let request = http::Request::get(TOKEN_URL).body(Bytes::from_static(b"hunter2")).unwrap();
        let response = cx.transport().send(request).await?;
        assert_ne!(response.status(), 302, "hunter2");
        Err(Error::caused_by(ErrorKind::Malformed, format!("hunter2 {response:?}")))
    });
    run(own).await;

    let mut text = log.text();
    write!(text, "{}", recorder.handle().render()).unwrap();
    for public in [
        "oauth2.token",
        "auth.example.com",
        "device_code",
        "token obtained",
        "token store failed",
        "refresh failed",
        "auth.example.com/tenant/token",
        "login_required",
        "invalid_grant",
        "panicked",
        "waiting for a token",
        "failed without waiting",
        "token rejected",
        "tower_oauth2_store_errors_total",
    ] {
        assert!(text.contains(public), "{public} was not recorded: the test searches the wrong text");
    }
    let line = text.lines().find(|line| line.contains(WORD));
    assert_eq!(line, None);
}
