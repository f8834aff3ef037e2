//! The layer handles the errors of a custom grant like errors that it has read from a response.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::error::OAuthError;
use tower_oauth2::grant::{Context, Grant};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Body, get, ours, pass};

/// Fails with `Retry-After` at first.
struct Busy {
    attempts: Arc<AtomicUsize>,
    retry_after: Duration,
}

impl Grant for Busy {
    async fn obtain(&self, _: Context) -> Result<Token, Error> {
        if self.attempts.fetch_add(1, Ordering::SeqCst) > 0 {
            return Token::bearer("a");
        }
        let oauth =
            OAuthError::new("slow_down").with_description("too many\r\nrequests").with_uri("https://docs.example/");
        Err(Error::caused_by(ErrorKind::Overloaded, "quota exceeded")
            .with_status(StatusCode::TOO_MANY_REQUESTS)
            .with_oauth(oauth)
            .with_retry_after(self.retry_after))
    }
}

/// Returns the error of the first request, and the time until the next attempt.
async fn first_error(retry_after: Duration) -> (Error, Duration) {
    let attempts = Arc::new(AtomicUsize::new(0));
    let grant = Busy { attempts: attempts.clone(), retry_after };
    let inner = service_fn(async |_: Request<Body>| Ok::<_, std::io::Error>(Response::new(Full::<Bytes>::default())));
    let service = OAuth2Layer::new(grant).layer(inner);
    let error = ours(service.clone().oneshot(get(API_URL)).await.unwrap_err());
    let begun = tokio::time::Instant::now();
    while attempts.load(Ordering::SeqCst) < 2 {
        pass(Duration::from_secs(1)).await;
        // Until then every request gets the cached error.
        if let Err(cached) = service.clone().oneshot(get(API_URL)).await {
            assert_eq!(ours(cached).to_string(), error.to_string());
        }
    }
    (error, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn callers_get_all_details_and_the_layer_obeys_retry_after() {
    let before = SystemTime::now();
    let (error, waited) = first_error(Duration::from_secs(60)).await;
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(error.is_transient());
    assert_eq!(error.status(), Some(StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    let oauth = error.oauth().unwrap();
    let texts = (oauth.error(), oauth.description(), oauth.uri());
    assert_eq!(texts, ("slow_down", Some("too many requests"), Some("https://docs.example/")));
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "quota exceeded");
    // The wall clock is not paused here, and the back-off may add its jitter.
    let announced = error.retry_at().unwrap().duration_since(before).unwrap();
    assert!((60..=75).contains(&announced.as_secs()), "{announced:?}");
    assert!((60..=75).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_of_more_than_an_hour_is_shortened() {
    let (error, waited) = first_error(Duration::from_secs(24 * 60 * 60)).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert!((3600..=3600 + 3600 / 4).contains(&waited.as_secs()), "{waited:?}");
}
