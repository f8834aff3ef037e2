//! What has failed is told at the level that it deserves.

use std::time::Duration;

use serde_json::json;
use tower::BoxError;
use tower_oauth2::OAuth2Layer;
use tower_oauth2::client::Client;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::store::{Entry, Key, TokenStore};
use tracing::Level;

use crate::endpoint;
use crate::seen::Seen;
use crate::support::{TOKEN_URL, answer, grant, layer, ours, pass, token};

const FAILED: &str = "token call failed, and requests fail";
const HOPELESS: &str = "token call failed, and requests fail until somebody acts";
const SERVED: &str = "token call failed, and the token that is there still serves";

#[tokio::test(start_paused = true)]
async fn a_failure_that_time_may_mend_is_a_warning() {
    let (seen, _listening) = Seen::listen();
    let mut overloaded = answer(503, json!({"error": "server_error", "error_description": "hush"}));
    overloaded.headers_mut().insert("retry-after", "60".parse().unwrap());
    let layer = layer().token_service(endpoint(vec![overloaded]));
    ours(layer.tokens().get().await.unwrap_err().into());

    let told = seen.event(FAILED);
    assert_eq!(told.level, Level::WARN);
    for (name, value) in [
        ("oauth2.grant", "client_credentials"),
        ("oauth2.reason", "first"),
        ("oauth2.error", "server_error"),
        ("http.response.status_code", "503"),
        ("error.type", "overloaded"),
    ] {
        assert_eq!(told.field(name), Some(value), "{name}");
    }
    let retry_in = told.field("oauth2.retry_in_ms").unwrap().parse::<u64>().unwrap();
    assert!((50_000..=60_000).contains(&retry_in), "{retry_in}");
    assert!(told.fields.values().all(|value| !value.contains("hush")), "a description is the server's own text");
    let [span] = seen.flights().try_into().unwrap();
    assert_eq!(span.field("oauth2.outcome"), Some("overloaded"));
    assert_eq!((span.field("error.type"), span.field("otel.status_code")), (Some("overloaded"), Some("ERROR")));
    assert_eq!(span.field("oauth2.generation"), None);
}

#[tokio::test(start_paused = true)]
async fn one_that_only_people_can_mend_is_an_error() {
    for (status, error, kind) in [
        (401, "invalid_client", "client_rejected"),
        (400, "invalid_grant", "login_needed"),
        // To a refresh real servers say this, too.
        (400, "invalid_request", "login_needed"),
    ] {
        let (seen, _listening) = Seen::listen();
        let grant = RefreshToken::new(TOKEN_URL, Client::basic("id", "secret"), "r").unwrap();
        let layer = OAuth2Layer::new(grant).token_service(endpoint(vec![answer(status, json!({"error": error}))]));
        layer.tokens().get().await.unwrap_err();
        let told = seen.event(HOPELESS);
        assert_eq!(told.level, Level::ERROR);
        assert_eq!((told.field("error.type"), told.field("oauth2.error")), (Some(kind), Some(error)));
        assert_eq!(told.field("oauth2.grant"), Some("refresh_token"));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_no_request_notices_is_a_warning() {
    let (seen, _listening) = Seen::listen();
    let refused = answer(400, json!({"error": "unauthorized_client"}));
    let layer = layer().token_service(endpoint(vec![answer(200, token("a", 600)), refused]));
    layer.tokens().get().await.unwrap();
    pass(Duration::from_secs(400)).await;
    layer.tokens().get().await.unwrap();
    pass(Duration::from_millis(1)).await;
    let told = seen.event(SERVED);
    assert_eq!((told.level, told.field("oauth2.reason")), (Level::WARN, Some("ahead")));
    assert_eq!(told.field("error.type"), Some("client_rejected"));
}

/// A store that is away, as one in another process can be.
struct Away;

impl TokenStore for Away {
    type Lock = ();

    async fn lock(&self, _: &Key) -> Result<(), BoxError> {
        Ok(())
    }

    async fn load(&self, _: &Key) -> Result<Option<Entry>, BoxError> {
        Err("away".into())
    }

    async fn save(&self, _: &Key, _: &Entry, _: &mut ()) -> Result<(), BoxError> {
        Err("away".into())
    }

    async fn clear(&self, _: &Key, _: u64) -> Result<(), BoxError> {
        Err("away".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_a_warning() {
    let (seen, _listening) = Seen::listen();
    let layer = OAuth2Layer::new(grant().persisted(Away)).token_service(endpoint(vec![]));
    layer.tokens().get().await.unwrap();
    let told = seen.events("token store failed");
    assert!(!told.is_empty());
    for told in told {
        assert_eq!((told.level, told.within.as_slice()), (Level::WARN, ["oauth2.token"].as_slice()));
    }
}
