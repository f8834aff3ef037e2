//! Any conversation of a layer with its servers goes on to its end: with the tokens that it was given and with no other, with
//! one token call at a time, and with no secret in an error.
//!
//! An input is the name of a grant, and then what happens, with `%` in lines between: `token` or `api` with an answer that the
//! token endpoint or the API will give, or something that the user does. A server that has no answer left is a good one.

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
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, DeviceCode, Grant, Password, RefreshToken};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};
use tower_oauth2_fuzz::{
    API_URL, Answer, Ending, REFRESH, Request, Response, SECRET, TOKEN_URL, WORD, Words, code, form, gives_away,
    in_virtual_time, members, sections, told,
};

const DEVICE_URL: &str = "https://auth.example.com/device";

/// A header that says which answer of the API it is.
const NUMBER: &str = "x-number";

const GOOD_TOKEN: &[u8] = b"200\n\n{\"access_token\":\"$NEW\",\"expires_in\":3600}";
const GOOD_CODE: &[u8] =
    b"200\n\n{\"device_code\":\"$NEW\",\"user_code\":\"WDJB-MJHT\",\"verification_uri\":\"https://example.com/\",\"expires_in\":60}";

const PASSWORD: &str = "hunter2-password";

/// What the user sets, for a minute.
const SET: &str = "hunter2-set";

fuzz_target!(|input: &[u8]| -> Corpus {
    if gives_away(input) {
        return Corpus::Reject;
    }
    let mut events = sections(input).take(64);
    let client = || Client::post("id", SECRET);
    match events.next() {
        Some(b"client_credentials") => converse(ClientCredentials::new(TOKEN_URL, client()).unwrap(), MINUTES, events),
        Some(b"password") => converse(Password::new(TOKEN_URL, client(), "me", PASSWORD).unwrap(), MINUTES, events),
        Some(b"refresh_token") => converse(RefreshToken::new(TOKEN_URL, client(), REFRESH).unwrap(), MINUTES, events),
        Some(b"device_code") => {
            converse(DeviceCode::new(DEVICE_URL, TOKEN_URL, client(), |_| {}).unwrap().relogin(), CENTURIES, events);
        }
        _ => return Corpus::Reject,
    }
    Corpus::Keep
});

/// A few calls with their deadlines.
const MINUTES: Duration = Duration::from_secs(10 * 60);

/// The server may give a person as long as it likes.
const CENTURIES: Duration = Duration::from_secs(200 * 365 * 24 * 60 * 60);

fn converse<'a>(grant: impl Grant, patience: Duration, events: impl Iterator<Item = &'a [u8]>) {
    let talk = Talk { world: World::default(), layer: OAuth2Layer::new(grant), patience };
    in_virtual_time(64 * CENTURIES, async {
        for event in events {
            talk.goes_on(event).await;
        }
        talk.asks().await;
    });
}

/// The user's side.
struct Talk<G> {
    world: World,
    layer: OAuth2Layer<G>,
    patience: Duration,
}

impl<G: Grant> Talk<G> {
    async fn goes_on(&self, event: &[u8]) {
        let (word, rest) = event.split_at(event.iter().position(|byte| *byte == b' ').unwrap_or(event.len()));
        let tokens = self.layer.tokens();
        match word {
            b"token" => self.world.lock().token_answers.push_back(Answer::read(rest)),
            b"api" => self.world.lock().api_answers.push_back(Answer::read(rest)),
            b"request" => self.asks().await,
            b"crowd" => {
                let crowd = [(); 3].map(|()| tokio::spawn(request(&self.layer, &self.world)));
                for request in crowd {
                    self.hears(self.waits_for(request).await.unwrap());
                }
            }
            // Who goes away leaves the token call to others.
            b"drop" => {
                let _ = timeout(Duration::from_secs(1), request(&self.layer, &self.world)).await;
            }
            b"wait" => {
                let seconds = String::from_utf8_lossy(rest).trim().parse::<u16>().unwrap_or(60);
                sleep(Duration::from_secs(seconds.into())).await;
            }
            b"get" => self.is_told(self.waits_for(tokens.get()).await),
            b"refresh" => self.is_told(self.waits_for(tokens.refresh()).await),
            b"invalidate" => {
                tokens.invalidate();
                self.world.lock().issued.clear();
            }
            b"forget" => {
                tokens.forget();
                self.world.lock().intervened();
            }
            b"set" => {
                let token = Token::bearer(SET).unwrap().with_refresh_token(REFRESH);
                tokens.set(token.with_expires_in(Duration::from_secs(60)));
                let mut world = self.world.lock();
                world.intervened();
                world.issued.insert(SET.into(), Some(last_use(60)));
            }
            _ => {}
        }
    }

    async fn asks(&self) {
        self.hears(self.waits_for(request(&self.layer, &self.world)).await);
    }

    async fn waits_for<T>(&self, outcome: impl Future<Output = T>) -> T {
        timeout(self.patience, outcome).await.expect("it hangs")
    }

    fn hears(&self, outcome: Result<(), BoxError>) {
        match outcome.map_err(|error| error.downcast::<Error>()) {
            Ok(()) => {}
            Err(Ok(error)) => {
                assert_ne!(error.kind(), ErrorKind::NoTransport);
                self.is_told(Err(*error));
            }
            // The API's own.
            Err(Err(error)) => assert!(error.is::<io::Error>(), "{error}"),
        }
    }

    fn is_told(&self, outcome: Result<Token, Error>) {
        let Err(error) = outcome else { return };
        let told = told(&error);
        assert!(!told.contains(WORD), "{told}");
        assert!(
            !matches!(
                error.kind(),
                ErrorKind::Configuration
                    | ErrorKind::Cleartext
                    | ErrorKind::ForeignOrigin
                    | ErrorKind::Recursion
                    | ErrorKind::Loopback
                    | ErrorKind::Panicked
            ),
            "{told}"
        );
    }
}

/// Sends a request, whose response is the API's.
fn request<G: Grant>(
    layer: &OAuth2Layer<G>,
    world: &World,
) -> impl Future<Output = Result<(), BoxError>> + Send + 'static {
    let (service, world) = (layer.layer(service_fn(world.clone().serves())), world.clone());
    async move {
        let response = service.oneshot(http::Request::get(API_URL).body(Full::default()).unwrap()).await?;
        let number: usize = response.headers()[NUMBER].to_str().unwrap().parse().unwrap();
        let answer = world.lock().answered[number].clone();
        assert_eq!((response.status(), response.headers()), (answer.status, &answer.headers));
        if answer.is_whole() {
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), answer.body);
        }
        Ok(())
    }
}

/// The other side: the authorization server and the API.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    token_answers: VecDeque<Answer>,
    api_answers: VecDeque<Answer>,
    /// What the API has answered.
    answered: Vec<Answer>,
    /// The access tokens that may be sent, and until when.
    issued: HashMap<String, Option<Instant>>,
    tokens: usize,
    calls_under_way: usize,
    /// Each lets go of a call that is under way, if there is one.
    interventions: usize,
}

impl Inner {
    fn intervened(&mut self) {
        self.issued.clear();
        self.interventions += 1;
    }

    fn issues(&mut self, answer: &Answer) {
        self.tokens += 1;
        let members = members(&answer.body).unwrap_or_default();
        let Some(access_token) = members.get("access_token").and_then(Value::as_str) else { return };
        if answer.is_whole() && is_token(answer) {
            let until = members.get("expires_in").and_then(Value::as_u64).map(last_use);
            self.issued.insert(access_token.to_owned(), until);
        }
    }
}

/// Until when a token is sent that is issued now: to its very end, while no newer one can be had. One that is dead on arrival
/// serves those who waited for it, for a second.
fn last_use(lifetime: u64) -> Instant {
    Instant::now() + Duration::from_secs(lifetime.clamp(1, u32::MAX.into()))
}

fn is_token(answer: &Answer) -> bool {
    answer.status.is_success() && members(&answer.body).is_none_or(|members| code(&members).is_none())
}

type Reply = std::pin::Pin<Box<dyn Future<Output = io::Result<Response>> + Send>>;

impl World {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn serves(self) -> impl Fn(Request) -> Reply + Clone + Send + Sync + 'static {
        move |request| {
            let world = self.clone();
            Box::pin(async move {
                if *request.uri() == *API_URL {
                    world.serves_the_api(&request).await
                } else {
                    world.grants(request).await
                }
            })
        }
    }

    async fn serves_the_api(&self, request: &Request) -> io::Result<Response> {
        let mut values = request.headers().get_all(AUTHORIZATION).iter();
        let token = values.next().unwrap().to_str().unwrap().strip_prefix("Bearer ").unwrap();
        assert_eq!(values.next(), None);
        let answer = {
            let mut world = self.lock();
            let until =
                world.issued.get(token).unwrap_or_else(|| panic!("nobody has issued {token}, or it was revoked"));
            assert!(until.is_none_or(|until| Instant::now() <= until), "{token} has expired");
            let mut answer = world.api_answers.pop_front().unwrap_or_else(|| Answer::read(b"200"));
            if answer.ending == Ending::Silent {
                // That would be for a time-out of the user's.
                answer.ending = Ending::Whole;
            }
            answer.headers.insert(NUMBER, HeaderValue::from(world.answered.len()));
            world.answered.push(answer.clone());
            answer
        };
        answer.sent().await
    }

    async fn grants(&self, request: Request) -> io::Result<Response> {
        let _call = Call::begin(self);
        let is_device = *request.uri() == *DEVICE_URL;
        assert!(is_device || *request.uri() == *TOKEN_URL);
        let form = form(request).await;
        assert_eq!((form.get("client_secret"), form.get("grant_type").is_some()), (Some(SECRET), !is_device));
        let answer = {
            let mut world = self.lock();
            let good = if is_device { GOOD_CODE } else { GOOD_TOKEN };
            let mut answer = world.token_answers.pop_front().unwrap_or_else(|| Answer::read(good));
            // A server knows what it was sent, and in a success what it makes up.
            let sent = |name| form.get(name).unwrap_or_default();
            let known = Words(&[
                ("$SECRET", SECRET),
                ("$REFRESH", sent("refresh_token")),
                ("$PASSWORD", sent("password")),
                ("$CODE", sent("device_code")),
            ]);
            answer.body = known.fill(&answer.body).into();
            let new = if is_token(&answer) { format!("{WORD}new-{}", world.tokens) } else { String::new() };
            answer.body = Words(&[("$NEW", &new)]).fill(&answer.body).into();
            world.issues(&answer);
            answer
        };
        answer.sent().await
    }
}

/// A token call, until it is answered or given up.
struct Call(World);

impl Call {
    fn begin(world: &World) -> Self {
        let mut inner = world.lock();
        inner.calls_under_way += 1;
        assert!(inner.calls_under_way <= 1 + inner.interventions, "two token calls at once");
        Self(world.clone())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.lock().calls_under_way -= 1;
    }
}
