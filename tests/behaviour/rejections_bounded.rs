//! The number of refreshes that rejections start is bounded, and an accepted token stays in use.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::Token;

use crate::support::{Body, TOKEN_URL, answer, authorization, layer, ours, pass, token};

/// A server with a token endpoint and several API endpoints.
#[derive(Clone, Default)]
struct Server {
    token_requests: Arc<AtomicUsize>,
    /// The status of the token responses; zero is a new token.
    token_status: Arc<AtomicU16>,
    /// The tokens that the good endpoint has received.
    good: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        if request.uri() == TOKEN_URL {
            let number = self.token_requests.fetch_add(1, Ordering::SeqCst);
            // A request that waits for a token waits for a second.
            pass(Duration::from_secs(1)).await;
            return Ok(match self.token_status.load(Ordering::SeqCst) {
                0 => answer(200, token(&format!("t{number}"), 36_000)),
                status => answer(status, ""),
            });
        }
        Ok(match request.uri().path() {
            "/good" => {
                self.good.lock().unwrap().push(authorization(&request).unwrap().to_owned());
                answer(200, "")
            }
            "/bad" => answer(401, ""),
            "/down" => answer(503, ""),
            "/proxy" => answer(407, "<html>"),
            path => panic!("{path}"),
        })
    }

    fn token_requests(&self) -> usize {
        self.token_requests.load(Ordering::SeqCst)
    }
}

type Service = tower::util::BoxCloneSyncService<Request<Body>, Response<Body>, tower::BoxError>;

fn service(server: &Server) -> (Service, tower_oauth2::Tokens) {
    let server = server.clone();
    let layer = layer().backoff_jitter(0.0).unwrap();
    let service = layer.layer(service_fn(move |request| server.clone().answer(request)));
    let tokens = service.tokens();
    (Service::new(service), tokens)
}

/// Sends a request. Returns the status of the response, and whether the request had to wait.
async fn send(service: &Service, path: &str) -> (u16, bool) {
    let began = Instant::now();
    let request = Request::get(format!("https://api.example.com{path}")).body(Body::default()).unwrap();
    let response = service.clone().oneshot(request).await.map_err(ours).unwrap();
    (response.status().as_u16(), !began.elapsed().is_zero())
}

#[tokio::test(start_paused = true)]
async fn many_rejections_among_good_responses_cause_few_token_requests_and_no_wait() {
    let server = Server::default();
    let (service, tokens) = service(&server);
    tokens.set(Token::bearer("first").unwrap());
    send(&service, "/good").await;
    for _ in 0..100 {
        // A rejected token that no response has accepted is withheld, so each token is sent to the good endpoint first.
        for (path, status) in [("/good", 200), ("/bad", 401), ("/down", 503), ("/proxy", 407), ("/good", 200)] {
            assert_eq!(send(&service, path).await, (status, false), "{path}");
        }
        pass(Duration::from_millis(100)).await;
    }
    // In ten seconds: at once, and after 1, 1.6, 2.6 and 4.1 s.
    assert!((2..=6).contains(&server.token_requests()), "{}", server.token_requests());
}

/// At the same time, from many tasks.
#[tokio::test(start_paused = true)]
async fn many_simultaneous_rejections_cause_one_token_request() {
    let server = Server::default();
    let (service, tokens) = service(&server);
    tokens.set(Token::bearer("first").unwrap());
    send(&service, "/good").await;
    let rejected: Vec<_> = (0..100)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { send(&service, "/bad").await })
        })
        .collect();
    for one in rejected {
        assert_eq!(one.await.unwrap(), (401, false));
    }
    assert_eq!(send(&service, "/good").await, (200, false));
    pass(Duration::from_millis(1_100)).await;
    assert_eq!(server.token_requests(), 1);
    assert_eq!(send(&service, "/good").await, (200, false));
    assert_eq!(*server.good.lock().unwrap(), ["Bearer first", "Bearer first", "Bearer t0"]);
}

#[tokio::test(start_paused = true)]
async fn when_the_token_endpoint_fails_the_accepted_token_stays_in_use() {
    for status in [429, 503, 400, 403, 302] {
        let server = Server::default();
        let (service, tokens) = service(&server);
        tokens.set(Token::bearer("first").unwrap());
        server.token_status.store(status, Ordering::SeqCst);
        send(&service, "/good").await;
        for _ in 0..100 {
            assert_eq!(send(&service, "/bad").await, (401, false), "{status}");
            assert_eq!(send(&service, "/good").await, (200, false), "{status}");
            pass(Duration::from_millis(100)).await;
        }
        assert!((2..=6).contains(&server.token_requests()), "{status}: {}", server.token_requests());
        assert!(server.good.lock().unwrap().iter().all(|sent| sent == "Bearer first"), "{status}");
    }
}

/// A token that no response has accepted is withheld during the refresh, and sent again if the refresh fails.
#[tokio::test(start_paused = true)]
async fn a_token_that_no_response_has_accepted_is_withheld_during_the_refresh() {
    for (status, sent) in [(0, "Bearer t0"), (503, "Bearer first")] {
        let server = Server::default();
        let (service, tokens) = service(&server);
        tokens.set(Token::bearer("first").unwrap());
        server.token_status.store(status, Ordering::SeqCst);
        assert_eq!(send(&service, "/bad").await, (401, false));
        assert_eq!(send(&service, "/good").await, (200, true));
        assert_eq!(*server.good.lock().unwrap(), [sent]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_series_ends_after_a_time_without_rejections() {
    let server = Server::default();
    let (service, tokens) = service(&server);
    tokens.set(Token::bearer("first").unwrap());
    // At once, then twice after the back-off.
    for expected in 1..=3 {
        send(&service, "/good").await;
        send(&service, "/bad").await;
        pass(Duration::from_millis(1_500)).await;
        assert_eq!(server.token_requests(), expected.min(2), "{expected}");
    }
    // No rejections for longer than the next back-off. Other endpoints accept the token.
    for _ in 0..10 {
        assert_eq!(send(&service, "/good").await, (200, false));
        pass(Duration::from_secs(1)).await;
    }
    // A new series: the first one at once, and the second after the first back-off, not after a longer one.
    let before = server.token_requests();
    for expected in 1..=2 {
        send(&service, "/bad").await;
        pass(Duration::from_millis(1_500)).await;
        send(&service, "/good").await;
        assert_eq!(server.token_requests(), before + expected);
    }
}

/// `set` and `forget` end the series, too, so that earlier rejections do not delay a new login.
#[tokio::test(start_paused = true)]
async fn a_token_that_is_set_begins_a_new_series() {
    let server = Server::default();
    let (service, tokens) = service(&server);
    for round in 1..=3 {
        tokens.set(Token::bearer("set").unwrap());
        send(&service, "/good").await;
        send(&service, "/bad").await;
        pass(Duration::from_millis(1_001)).await;
        assert_eq!(server.token_requests(), round);
    }
}

/// The back-off of a series does not delay `Tokens::refresh`.
#[tokio::test(start_paused = true)]
async fn a_series_does_not_delay_a_forced_refresh() {
    let server = Server::default();
    let (service, tokens) = service(&server);
    tokens.set(Token::bearer("first").unwrap());
    for round in 0..5 {
        send(&service, "/bad").await;
        assert_eq!(tokens.refresh().await.unwrap().access_token(), format!("t{round}"));
    }
}
