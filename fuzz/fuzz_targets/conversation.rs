//! A layer finishes any conversation with its servers: it sends only valid tokens, with one token request at a time, and no error contains
//! a secret.
//!
//! An input is the name of a grant and a list of events, separated by lines with `%`. `token` and `api` are responses of the token endpoint
//! and of the API; other events are actions of the application. A server without further responses sends successful ones.

#![no_main]

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tower::util::BoxCloneService;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, DeviceCode, Grant, Password, RefreshToken};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};
use tower_oauth2_fuzz::{
    API_URL, Ending, Placeholders, REFRESH, Request, Response, SECRET, SECRET_PREFIX, ServerResponse, TOKEN_URL,
    contains_secret, error_text, form, in_virtual_time, members, sections,
};

const DEVICE_URL: &str = "https://auth.example.com/device";

/// A header with the number of the API response.
const NUMBER: &str = "x-number";

const TOKEN_RESPONSE: &[u8] = b"200\n\n{\"access_token\":\"$NEW\",\"expires_in\":3600}";
const CODE_RESPONSE: &[u8] =
    b"200\n\n{\"device_code\":\"$NEW\",\"user_code\":\"WDJB-MJHT\",\"verification_uri\":\"https://example.com/\",\"expires_in\":60}";

const PASSWORD: &str = "hunter2-password";

/// The token of `set`, which expires after a minute.
const SET: &str = "hunter2-set";

fuzz_target!(|input: &[u8]| -> Corpus {
    if contains_secret(input) {
        return Corpus::Reject;
    }
    let mut events = sections(input).take(64);
    let client = || Client::post("id", SECRET);
    match events.next() {
        Some(b"client_credentials") => {
            run_events(ClientCredentials::new(TOKEN_URL, client()).unwrap(), MINUTES, events)
        }
        Some(b"password") => run_events(Password::new(TOKEN_URL, client(), "me", PASSWORD).unwrap(), MINUTES, events),
        Some(b"refresh_token") => run_events(RefreshToken::new(TOKEN_URL, client(), REFRESH).unwrap(), MINUTES, events),
        Some(b"device_code") => {
            run_events(
                DeviceCode::new(DEVICE_URL, TOKEN_URL, client(), |_| {}).unwrap().relogin(true),
                CENTURIES,
                events,
            );
        }
        _ => return Corpus::Reject,
    }
    Corpus::Keep
});

/// The time for a few token requests with their timeouts.
const MINUTES: Duration = Duration::from_secs(10 * 60);

/// The time for a login, which the server does not limit.
const CENTURIES: Duration = Duration::from_secs(200 * 365 * 24 * 60 * 60);

fn run_events<'a>(grant: impl Grant, time_limit: Duration, events: impl Iterator<Item = &'a [u8]>) {
    let (servers, layer) = (Servers::default(), OAuth2Layer::new(grant));
    let service = layer.layer(service_fn(servers.clone().respond()));
    let application =
        Application { servers, tokens: layer.tokens(), service: BoxCloneService::new(service), time_limit };
    in_virtual_time(64 * CENTURIES, async {
        for event in events {
            application.run_event(event).await;
        }
        application.send_request().await;
    });
}

type Service = BoxCloneService<Request, Response, BoxError>;

/// The application. It keeps a service, because the token requests of its handle go through one that has sent a request.
struct Application {
    servers: Servers,
    tokens: Tokens,
    service: Service,
    time_limit: Duration,
}

impl Application {
    async fn run_event(&self, event: &[u8]) {
        let (word, rest) = event.split_at(event.iter().position(|byte| *byte == b' ').unwrap_or(event.len()));
        let tokens = &self.tokens;
        match word {
            b"token" => self.servers.lock().token_responses.push_back(ServerResponse::parse(rest)),
            b"api" => self.servers.lock().api_responses.push_back(ServerResponse::parse(rest)),
            b"request" => self.send_request().await,
            b"crowd" => {
                let crowd = [(); 3].map(|()| tokio::spawn(request(&self.service, &self.servers)));
                for request in crowd {
                    self.check_response(self.within_timeout(request).await.unwrap());
                }
            }
            // Dropping a request must not cancel the token request of other waiters.
            b"drop" => {
                let _ = timeout(Duration::from_secs(1), request(&self.service, &self.servers)).await;
            }
            b"wait" => {
                let seconds = String::from_utf8_lossy(rest).trim().parse::<u16>().unwrap_or(60);
                sleep(Duration::from_secs(seconds.into())).await;
            }
            b"get" => self.check_outcome(self.within_timeout(tokens.get()).await),
            b"refresh" => self.check_outcome(self.within_timeout(tokens.refresh()).await),
            b"invalidate" => {
                tokens.invalidate();
                self.servers.lock().issued.clear();
            }
            b"forget" => {
                tokens.forget();
                self.servers.lock().intervene();
            }
            b"set" => {
                let token = Token::bearer(SET).unwrap().with_refresh_token(REFRESH);
                tokens.set(token.with_expires_in(Duration::from_secs(60)));
                let mut servers = self.servers.lock();
                servers.intervene();
                servers.issued.insert(SET.into(), Some(usable_until(60)));
            }
            _ => {}
        }
    }

    async fn send_request(&self) {
        self.check_response(self.within_timeout(request(&self.service, &self.servers)).await);
    }

    async fn within_timeout<T>(&self, outcome: impl Future<Output = T>) -> T {
        timeout(self.time_limit, outcome).await.expect("the layer hangs")
    }

    fn check_response(&self, outcome: Result<(), BoxError>) {
        match outcome.map_err(|error| error.downcast::<Error>()) {
            Ok(()) => {}
            Err(Ok(error)) => {
                assert_ne!(error.kind(), ErrorKind::NoTransport);
                self.check_outcome(Err(*error));
            }
            // An error of the API.
            Err(Err(error)) => assert!(error.is::<io::Error>(), "{error}"),
        }
    }

    fn check_outcome(&self, outcome: Result<Token, Error>) {
        let Err(error) = outcome else { return };
        let text = error_text(&error);
        assert!(!text.contains(SECRET_PREFIX), "{text}");
        assert!(
            !matches!(
                error.kind(),
                ErrorKind::Configuration
                    | ErrorKind::Cleartext
                    | ErrorKind::OriginDenied
                    | ErrorKind::Recursion
                    | ErrorKind::Loopback
                    | ErrorKind::Panicked
            ),
            "{text}"
        );
    }
}

/// Sends a request, and checks that the response is the one of the API.
fn request(service: &Service, servers: &Servers) -> impl Future<Output = Result<(), BoxError>> + Send + 'static {
    let (service, servers) = (service.clone(), servers.clone());
    async move {
        let response = service.oneshot(http::Request::get(API_URL).body(Full::default()).unwrap()).await?;
        let number: usize = response.headers()[NUMBER].to_str().unwrap().parse().unwrap();
        let expected = servers.lock().sent_by_api[number].clone();
        assert_eq!((response.status(), response.headers()), (expected.status, &expected.headers));
        if expected.is_complete() {
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), expected.body);
        }
        Ok(())
    }
}

/// The authorization server and the API.
#[derive(Clone, Default)]
struct Servers(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    token_responses: VecDeque<ServerResponse>,
    api_responses: VecDeque<ServerResponse>,
    /// The responses that the API has sent.
    sent_by_api: Vec<ServerResponse>,
    /// The access tokens that are valid, and their expiry.
    issued: HashMap<String, Option<Instant>>,
    tokens: usize,
    running_requests: usize,
    /// The number of interventions, each of which abandons a running token request.
    interventions: usize,
}

impl State {
    fn intervene(&mut self) {
        self.issued.clear();
        self.interventions += 1;
    }

    fn record_token(&mut self, response: &ServerResponse) {
        self.tokens += 1;
        let members = members(&response.body).unwrap_or_default();
        let Some(access_token) = members.get("access_token").and_then(Value::as_str) else { return };
        if response.is_complete() && response.is_success() {
            let until = members.get("expires_in").and_then(Value::as_u64).map(usable_until);
            // The same text may be issued twice, and the layer may not use the second response, for example for its type. So the text
            // is valid until the later expiry.
            let issued = self.issued.entry(access_token.to_owned()).or_insert(until);
            *issued = issued.zip(until).map(|(earlier, until)| earlier.max(until));
        }
    }
}

/// Returns until when a new token may be sent: to its expiry, if no newer token can be obtained. If it is expired on arrival, its waiters
/// use it for a second.
fn usable_until(lifetime: u64) -> Instant {
    Instant::now() + Duration::from_secs(lifetime.clamp(1, u32::MAX.into()))
}

type Reply = std::pin::Pin<Box<dyn Future<Output = io::Result<Response>> + Send>>;

impl Servers {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn respond(self) -> impl Fn(Request) -> Reply + Clone + Send + Sync + 'static {
        move |request| {
            let servers = self.clone();
            Box::pin(async move {
                if *request.uri() == *API_URL {
                    servers.respond_as_api(&request).await
                } else {
                    servers.respond_as_server(request).await
                }
            })
        }
    }

    async fn respond_as_api(&self, request: &Request) -> io::Result<Response> {
        let mut values = request.headers().get_all(AUTHORIZATION).iter();
        let token = values.next().unwrap().to_str().unwrap().strip_prefix("Bearer ").unwrap();
        assert_eq!(values.next(), None);
        let response = {
            let mut servers = self.lock();
            let until = servers.issued.get(token).unwrap_or_else(|| panic!("{token} was not issued, or was revoked"));
            assert!(until.is_none_or(|until| Instant::now() <= until), "{token} has expired");
            let mut response = servers.api_responses.pop_front().unwrap_or_else(|| ServerResponse::parse(b"200"));
            if response.ending == Ending::Silent {
                // The layer has no timeout for API requests.
                response.ending = Ending::Complete;
            }
            response.headers.insert(NUMBER, HeaderValue::from(servers.sent_by_api.len()));
            servers.sent_by_api.push(response.clone());
            response
        };
        response.deliver().await
    }

    async fn respond_as_server(&self, request: Request) -> io::Result<Response> {
        let _running = TokenRequest::begin(self);
        let is_device = *request.uri() == *DEVICE_URL;
        assert!(is_device || *request.uri() == *TOKEN_URL);
        let form = form(request).await;
        assert_eq!((form.get("client_secret"), form.get("grant_type").is_some()), (Some(SECRET), !is_device));
        let response = {
            let mut servers = self.lock();
            let good = if is_device { CODE_RESPONSE } else { TOKEN_RESPONSE };
            let mut response = servers.token_responses.pop_front().unwrap_or_else(|| ServerResponse::parse(good));
            // The server replaces placeholders with the secrets of the request, and in a success with a new token.
            let sent = |name| form.get(name).unwrap_or_default();
            let known = Placeholders(&[
                ("$SECRET", SECRET),
                ("$REFRESH", sent("refresh_token")),
                ("$PASSWORD", sent("password")),
                ("$CODE", sent("device_code")),
            ]);
            response.body = known.fill(&response.body).into();
            let new = format!("{SECRET_PREFIX}new-{}", servers.tokens);
            response = response.with_new_secrets(&[("$NEW", &new)]);
            servers.record_token(&response);
            response
        };
        response.deliver().await
    }
}

/// A running token request.
struct TokenRequest(Servers);

impl TokenRequest {
    fn begin(servers: &Servers) -> Self {
        let mut inner = servers.lock();
        inner.running_requests += 1;
        assert!(inner.running_requests <= 1 + inner.interventions, "two token requests at once");
        Self(servers.clone())
    }
}

impl Drop for TokenRequest {
    fn drop(&mut self) {
        self.0.lock().running_requests -= 1;
    }
}
