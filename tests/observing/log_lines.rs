//! A log line about a failed refresh has the cause and the endpoint, and no field twice.

use serde_json::json;
use tower::{BoxError, Layer as _, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, RefreshToken};
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};
use tracing::Level;

use crate::endpoint;
use crate::log::Log;
use crate::recorded::Recorded;
use crate::support::{API_URL, Body, TOKEN_URL, answer, get, ours};

impl Log {
    /// Returns the log lines of this level and above about a token request that fails with `source`.
    async fn of(level: Level, source: impl Into<BoxError> + Clone + Send + Sync + 'static) -> Vec<String> {
        let log = Self::default();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(log.clone()).finish();
        let _subscriber = tracing::subscriber::set_default(subscriber);
        let url = "https://auth.example.com/tenant/token?key=hunter2";
        let grant = ClientCredentials::new(url, Client::basic("id", "secret")).unwrap();
        let fails = service_fn(move |_: http::Request<Body>| {
            std::future::ready(Err::<http::Response<Body>, BoxError>(source.clone().into()))
        });
        let service = OAuth2Layer::new(grant).name("billing").layer(fails);
        ours(service.oneshot(get(API_URL)).await.unwrap_err());
        let text = log.text();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_has_the_cause_and_the_endpoint_once() {
    // If a filter disables the span, the event has the fields of the span.
    for level in [Level::WARN, Level::INFO, Level::TRACE] {
        let lines = Log::of(level, "tcp connect error: Connection refused (os error 111)").await;
        let failed: Vec<_> = lines.iter().filter(|line| line.contains("refresh failed")).collect();
        let [line] = failed.as_slice() else { panic!("{lines:?}") };
        for once in [
            "auth.example.com",
            "auth.example.com/tenant/token",
            "connection_refused",
            "oauth2.grant=",
            "oauth2.name=",
            "oauth2.reason=",
            "oauth2.duration_ms=",
            "oauth2.retry_in_ms=",
            "error.type=",
            "error.cause=",
        ] {
            assert_eq!(line.matches(once).count(), 1, "{once}: {line}");
        }
        assert!(line.contains(" WARN ") && !line.contains("hunter2"), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn usual_causes_are_named() {
    for (source, expected) in [
        ("dns error: failed to lookup address information: Name or service not known", Some("dns")),
        ("invalid peer certificate: UnknownIssuer", Some("certificate")),
        ("received fatal alert: CertificateRequired", Some("client_certificate")),
        ("connection reset by peer", Some("connection_reset")),
        // Other texts may contain a secret.
        ("hunter2", None),
    ] {
        let lines = Log::of(Level::WARN, source).await;
        let cause = lines[0].split_once("error.cause=").map(|(_, rest)| rest.split(' ').next().unwrap());
        assert_eq!(cause.map(|cause| cause.trim_matches('"')), expected, "{lines:?}");
        assert!(!lines[0].contains("hunter2"), "{lines:?}");
    }
}

/// A logout is no failure of the program and must not cause an alert.
#[tokio::test(start_paused = true)]
async fn a_logout_is_logged_as_info() {
    let (recorded, _subscriber) = Recorded::install();
    let revoked = || answer(400, json!({"error": "invalid_grant"}));
    let grant = RefreshToken::new(TOKEN_URL, Client::public("app"), "r").unwrap();
    let service = OAuth2Layer::new(grant)
        .token_service(endpoint(vec![revoked(), revoked()]))
        .layer(service_fn(async |_: http::Request<Body>| Ok::<_, BoxError>(answer(200, ""))));
    let tokens = service.tokens();
    tokens.set(Token::bearer("a").unwrap().with_refresh_token("r"));
    service.clone().oneshot(get(API_URL)).await.unwrap();
    tokens.forget();
    for _ in 0..3 {
        let error = ours(service.clone().oneshot(get(API_URL)).await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::LoginRequired);
    }
    let all = recorded.all();
    assert!(all.events.iter().all(|event| event.level > Level::WARN), "{:?}", all.events);
    assert!(
        all.events.iter().any(|event| event.level == Level::INFO && event.fields["message"].contains("login required"))
    );
}
