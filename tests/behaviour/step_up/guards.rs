//! G1 to G5: an API that demands more without end does not cause logins without end.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use tower::retry::{Retry, RetryLayer};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Context, DeviceCode, Grant, grant_fn};
use tower_oauth2::retry::{RetryUnauthorized, TokenRejected};
use tower_oauth2::{Challenge, Error, ErrorKind, OAuth2, OAuth2Layer, Token, Tokens};

use super::{challenge, needs_scope, respond, send};
use crate::support::{
    API_URL, Body, TOKEN_URL, answer, authorization, form, get, grant, layer, mock_service, ours, pass, token,
};

const DEVICE_URL: &str = "https://auth.example.com/device";
const MINUTE: Duration = Duration::from_secs(60);

type Http = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// An API whose responses a function decides, and an authorization server, both of which respond at once.
struct World<G: Grant> {
    plain: OAuth2<Http, G>,
    repeating: Retry<RetryUnauthorized, OAuth2<Http, G>>,
    tokens: Tokens,
    /// The scopes of the token requests.
    scopes: Arc<Mutex<Vec<String>>>,
    /// The number of requests to the API.
    requests: Arc<AtomicUsize>,
}

/// The response of the API to the request of this number with this token.
trait Api: Fn(usize, &str) -> Response<Body> + Send + Sync + 'static {}
impl<F: Fn(usize, &str) -> Response<Body> + Send + Sync + 'static> Api for F {}

fn world<G: Grant>(grant: G, token_status: impl Fn(usize) -> u16 + Send + Sync + 'static, api: impl Api) -> World<G> {
    let (scopes, requests) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let (seen, count) = (scopes.clone(), requests.clone());
    let (api, token_status) = (Arc::new(api), Arc::new(token_status));
    let http = service_fn(move |request: Request<Body>| {
        let (seen, count, api, token_status) = (seen.clone(), count.clone(), api.clone(), token_status.clone());
        async move {
            if request.uri() == API_URL {
                return Ok(api(count.fetch_add(1, SeqCst), authorization(&request).unwrap()));
            }
            let is_device = request.uri() == DEVICE_URL;
            let form = form(request).await;
            if is_device {
                let codes = serde_json::json!({
                    "device_code": "d", "user_code": "U", "verification_uri": "https://auth.example.com/activate",
                    "expires_in": 600, "interval": 1,
                });
                return Ok(answer(200, codes));
            }
            let scope = form.into_iter().find(|(name, _)| name == "scope").map(|(_, value)| value);
            let mut seen = seen.lock().unwrap();
            seen.push(scope.unwrap_or_default());
            let number = seen.len();
            match token_status(number) {
                200 => Ok(answer(200, token(&number.to_string(), 86_400))),
                status => Ok::<_, BoxError>(answer(status, serde_json::json!({"error": "invalid_scope"}))),
            }
        }
    });
    let layer = OAuth2Layer::new(grant).step_up();
    let tokens = layer.tokens();
    tokens.set(Token::bearer("0").unwrap().with_expires_in(24 * 60 * MINUTE));
    let plain = layer.layer(BoxCloneSyncService::new(http));
    let repeating = RetryLayer::new(RetryUnauthorized::new()).layer(plain.clone());
    World { plain, repeating, tokens, scopes, requests }
}

impl<G: Grant> World<G> {
    /// Sends a request that is repeated. Returns the status of the last response, or the kind of the error.
    async fn send(&self) -> Result<u16, ErrorKind> {
        let sent = tokio::time::timeout(60 * MINUTE, self.repeating.clone().oneshot(get(API_URL)));
        let outcome = sent.await.expect("no end");
        outcome.map(|response| response.status().as_u16()).map_err(|error| ours(error).kind())
    }

    /// Sends a request that is not repeated. Returns whether its response is marked.
    async fn is_marked(&self) -> bool {
        let response = self.plain.clone().oneshot(get(API_URL)).await.unwrap();
        self.tokens.flush().await;
        response.extensions().get::<TokenRejected>().is_some()
    }

    fn token_requests(&self) -> usize {
        self.scopes.lock().unwrap().len()
    }

    /// The number of requests to the API since the last call.
    fn take_requests(&self) -> usize {
        self.requests.swap(0, SeqCst)
    }
}

fn credentials() -> ClientCredentials {
    grant().scope("read").unwrap()
}

/// An API that demands another scope each time.
fn demands_without_end() -> impl Api {
    let next = AtomicUsize::new(0);
    move |_: usize, _: &str| needs_scope(&format!("s{}", next.fetch_add(1, SeqCst)))
}

// ===== G1 =====

#[tokio::test(start_paused = true)]
async fn g1_what_was_requested_already_starts_nothing() {
    let world = world(credentials(), |_| 200, |_: usize, _: &str| needs_scope("write"));
    assert_eq!(world.send().await, Ok(403));
    assert_eq!(*world.scopes.lock().unwrap(), ["read write"]);
    for _ in 0..50 {
        assert_eq!(world.send().await, Ok(403));
        assert!(!world.is_marked().await);
    }
    assert_eq!(world.token_requests(), 1);
}

#[cfg(feature = "test-util")]
#[tokio::test(start_paused = true)]
async fn g1_the_age_of_the_login_counts() {
    let clock = tower_oauth2::test_util::Clock::new();
    let _entered = clock.enter();
    let needs_fresh = r#"Bearer error="insufficient_user_authentication", max_age="60""#;
    let grant = DeviceCode::new(DEVICE_URL, TOKEN_URL, Client::public("id"), |_| {}).unwrap();
    let world = world(grant, |_| 200, move |_: usize, _: &str| challenge(401, needs_fresh));
    assert_eq!(world.send().await, Ok(401));
    assert_eq!(world.token_requests(), 1);
    clock.step_forward(Duration::from_secs(30));
    assert_eq!(world.send().await, Ok(401));
    assert_eq!(world.token_requests(), 1, "the login is young enough");
    clock.step_forward(Duration::from_secs(40));
    assert_eq!(world.send().await, Ok(401));
    assert_eq!(world.token_requests(), 2, "the login is too old");
}

// ===== G2 =====

#[tokio::test(start_paused = true)]
async fn g2_three_fruitless_refreshes_end_the_series_for_ten_minutes() {
    let world = world(credentials(), |_| 200, demands_without_end());
    for _ in 0..10 {
        assert_eq!(world.send().await, Ok(403));
    }
    let in_series = world.token_requests();
    assert!((3..=4).contains(&in_series), "{in_series}");
    // Nothing starts, and each response passes without a repetition.
    world.take_requests();
    for _ in 0..100 {
        assert_eq!(world.send().await, Ok(403));
        pass(Duration::from_secs(5)).await;
    }
    assert_eq!((world.take_requests(), world.token_requests()), (100, in_series));
    pass(2 * MINUTE).await;
    assert_eq!(world.send().await, Ok(403));
    assert!(world.token_requests() > in_series, "after ten minutes");
}

#[tokio::test(start_paused = true)]
async fn g2_a_call_of_the_user_starts_the_series_again() {
    for is_step_up in [false, true] {
        let world = world(credentials(), |_| 200, demands_without_end());
        for _ in 0..10 {
            assert_eq!(world.send().await, Ok(403));
        }
        let before = world.token_requests();
        if is_step_up {
            let challenges = Challenge::parse(needs_scope("by-hand").headers());
            world.tokens.step_up(&challenges[0]).await.unwrap();
        } else {
            world.tokens.refresh().await.unwrap();
        }
        assert_eq!(world.token_requests(), before + 1);
        assert_eq!(world.send().await, Ok(403));
        assert!(world.token_requests() > before + 1, "{is_step_up}");
    }
}

/// A program may need several scopes, one after the other.
#[tokio::test(start_paused = true)]
async fn g2_a_success_ends_the_series() {
    // The first repetition of each request is fruitless, and the second one succeeds.
    let api = |number: usize, _: &str| match number % 3 {
        2 => answer(200, ""),
        _ => needs_scope(&format!("s{number}")),
    };
    let world = world(credentials(), |_| 200, api);
    for done in 1..=8 {
        assert_eq!(world.send().await, Ok(200));
        assert_eq!(world.token_requests(), 2 * done);
    }
}

#[tokio::test(start_paused = true)]
async fn g2_a_cell_starts_at_most_twenty_refreshes_in_ten_minutes() {
    let world = world(credentials(), |_| 200, demands_without_end());
    // Requests that are not repeated, so that no refresh is known to be fruitless.
    for second in 0..590 {
        let is_marked = world.is_marked().await;
        assert_eq!(is_marked, second < 20, "{second}");
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!(world.token_requests(), 20);
    pass(Duration::from_secs(15)).await;
    // The first ones are ten minutes old.
    assert!(world.is_marked().await);
    assert_eq!(world.token_requests(), 21);
}

/// Requests that succeed in between do not lift the limit.
#[tokio::test(start_paused = true)]
async fn g2_the_limit_holds_with_other_traffic_in_between() {
    let api = |number: usize, _: &str| match number % 2 {
        0 => needs_scope(&format!("s{number}")),
        _ => answer(200, ""),
    };
    let world = world(credentials(), |_| 200, api);
    for _ in 0..100 {
        world.send().await.unwrap();
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!(world.token_requests(), 20);
}

// ===== G3 =====

#[tokio::test(start_paused = true)]
async fn g3_a_failed_demand_starts_nothing_until_its_back_off_has_passed() {
    let world = world(credentials(), |_| 400, |_: usize, _: &str| needs_scope("write"));
    assert_eq!(world.send().await, Err(ErrorKind::RequestRejected));
    for _ in 0..10 {
        assert_eq!(world.send().await, Ok(403), "the response passes");
    }
    assert_eq!(world.token_requests(), 1);
    pass(Duration::from_secs(2)).await;
    assert_eq!(world.send().await, Err(ErrorKind::RequestRejected));
    assert_eq!(world.token_requests(), 2);
    assert_eq!(world.tokens.get().await.unwrap().access_token(), "0", "the token stays in use");
}

/// The back-off grows, so that an hour costs few of the attempts that the cell may make.
#[tokio::test(start_paused = true)]
async fn g3_the_back_off_grows_with_each_failure_of_a_demand() {
    let world = world(credentials(), |_| 400, |_: usize, _: &str| needs_scope("write"));
    for _ in 0..3600 {
        let _ = world.send().await;
        pass(Duration::from_secs(1)).await;
    }
    let sent = world.token_requests();
    assert!((25..=50).contains(&sent), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn g3_another_demand_starts_during_the_back_off_and_does_not_end_it() {
    // Two endpoints, which demand different scopes in turn. No token can be obtained for either.
    let api = |number: usize, _: &str| needs_scope(if number.is_multiple_of(2) { "a" } else { "b" });
    let world = world(credentials(), |_| 400, api);
    for _ in 0..2 {
        assert_eq!(world.send().await, Err(ErrorKind::RequestRejected));
    }
    for _ in 0..20 {
        assert_eq!(world.send().await, Ok(403));
    }
    assert_eq!(*world.scopes.lock().unwrap(), ["read a", "read b"]);
}

/// Counts its calls, and denies the login until the call of this number.
fn denying(calls: &Arc<AtomicUsize>, until: usize) -> impl Grant {
    let calls = calls.clone();
    grant_fn(move |_: Context| {
        let call = calls.fetch_add(1, SeqCst);
        async move {
            match call < until {
                true => Err(Error::caused_by(ErrorKind::Denied, "")),
                false => Token::bearer(format!("by-grant-{call}")),
            }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn g3_after_a_denied_login_nothing_starts_until_the_next_token_or_a_call() {
    let calls = Arc::new(AtomicUsize::new(0));
    let world = world(denying(&calls, 2), |_| 200, demands_without_end());
    assert_eq!(world.send().await, Err(ErrorKind::Denied));
    for _ in 0..5 {
        pass(30 * MINUTE).await;
        assert_eq!(world.send().await, Ok(403), "not even for another demand");
    }
    assert_eq!(calls.load(SeqCst), 1);
    // A call that is denied too starts the series again.
    assert_eq!(world.tokens.refresh().await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(calls.load(SeqCst), 2);
    let _ = world.send().await;
    assert!(calls.load(SeqCst) > 2);
}

#[tokio::test(start_paused = true)]
async fn g3_the_next_token_ends_what_a_denied_login_has_stopped() {
    let calls = Arc::new(AtomicUsize::new(0));
    let api = |_: usize, token: &str| if token == "Bearer by-grant-1" { answer(200, "") } else { needs_scope("write") };
    let world = world(denying(&calls, 1), |_| 200, api);
    assert_eq!(world.send().await, Err(ErrorKind::Denied));
    assert_eq!(world.send().await, Ok(403));
    world.tokens.set(Token::bearer("set").unwrap());
    assert_eq!(world.send().await, Ok(200));
    assert_eq!(calls.load(SeqCst), 2);
}

// ===== G4, G5 =====

#[tokio::test(start_paused = true)]
async fn g4_challenges_during_a_refresh_are_merged_for_the_next_one() {
    let layer = layer().step_up();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(service);
    let sent: Vec<_> = (0..4).map(|_| tokio::spawn(service.clone().oneshot(get(API_URL)))).collect();
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(server.next().await.1);
    }
    for (respond, scope) in all.into_iter().zip(["one", "two", "one", "three"]) {
        respond.send_response(needs_scope(scope));
    }
    let (mut scopes, mut authorized) = (Vec::new(), Vec::new());
    while authorized.len() < 4 || scopes.len() < 2 {
        let (request, respond) = server.next().await;
        if request.uri() == TOKEN_URL {
            let form = form(request).await;
            scopes.push(form.into_iter().find(|(name, _)| name == "scope").unwrap().1);
            respond.send_response(answer(200, token(&format!("token-{}", scopes.len()), 3600)));
        } else {
            authorized.push(authorization(&request).unwrap().to_owned());
            respond.send_response(answer(200, ""));
        }
    }
    for sent in sent {
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
    server.assert_no_request().await;
    assert_eq!(scopes, ["one", "one three two"]);
    assert_eq!(authorized, ["Bearer token-1"; 4]);
}

#[tokio::test(start_paused = true)]
async fn g5_a_challenge_to_an_older_token_starts_nothing() {
    let layer = layer().step_up();
    layer.tokens().set(Token::bearer("a").unwrap());
    let (sent, mut server) = send(&layer);
    let (_, respond_late) = server.next().await;
    layer.tokens().set(Token::bearer("b").unwrap());
    respond_late.send_response(needs_scope("write"));
    assert_eq!(respond(&mut server, answer(200, "")).await, "Bearer b");
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    server.assert_no_request().await;
}
