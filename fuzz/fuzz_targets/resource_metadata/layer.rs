//! An application calls the resource, and a hostile or broken server of it names addresses and authorization servers.
//!
//! Options: `parent`, `legacy` and `accept` are those of the grant. Events: `api`, `get` and `token` are responses of the resource, of the
//! metadata and of token endpoints; others are actions of the application. Without further responses, the servers send good ones.

use std::io;
use std::time::Duration;

use http::header::HeaderMap;
use http::{HeaderValue, Uri};
use http_body_util::Full;
use tokio::time::{sleep, timeout};
use tower::retry::RetryLayer;
use tower::util::BoxCloneService;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{Password, ProtectedResource};
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Tokens};
use tower_oauth2_fuzz::{
    Request, Response, SECRET, SECRET_PREFIX, ServerResponse, can_be_sent, error_text, in_virtual_time,
};

use super::resource::Resource;
use super::servers::{PASSWORD, Servers};
use super::state::Options;

const OTHER_URL: &str = "https://other.example.com/things";

/// The events that are responses.
const SCRIPT: [&[u8]; 3] = [b"api", b"get", b"token"];

/// The time for a few fetches and token requests with their timeouts.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// The time for all events.
const MONTHS: Duration = Duration::from_secs(90 * 24 * 60 * 60);

pub(crate) fn run<'a>(options: &str, resource: Resource, headers: HeaderMap, events: impl Iterator<Item = &'a [u8]>) {
    if !can_be_sent(resource.url.as_str()) {
        return;
    }
    let options = Options::parse(options);
    let is_bearer = headers.values().all(|value| value == "Bearer");
    let uri = Uri::try_from(resource.url.as_str()).unwrap();
    let layer = OAuth2Layer::new(grant(&resource, options)).origin(&resource.url).unwrap().on_challenge().step_up();
    let servers = Servers::new(resource, options, headers);
    // The layer keeps this service, so that the metadata can be fetched before the first request too.
    let layer = layer.token_service(service_fn(servers.clone().respond_to_grant()));
    let api = layer.layer(service_fn(servers.clone().respond_as_api()));
    let service = BoxCloneService::new(RetryLayer::new(RetryUnauthorized::new()).layer(api));
    let application = Application { servers, tokens: layer.tokens(), service, uri };
    let events: Vec<_> = events.collect();
    in_virtual_time(MONTHS, async {
        for event in &events {
            application.run_event(event).await;
        }
        let before = application.servers.lock().requests_with_token;
        application.send_request(application.uri.clone()).await;
        // More challenges in a row would start nothing.
        let is_script = |event: &&[u8]| SCRIPT.iter().any(|word| event.starts_with(word));
        if is_bearer && events.len() <= 8 && !events.iter().any(is_script) {
            assert!(application.servers.lock().requests_with_token > before, "no token from good servers");
        }
    });
}

fn grant(resource: &Resource, options: Options) -> ProtectedResource {
    let grant = ProtectedResource::new(&resource.text).unwrap();
    let grant = if options.parent { grant.dangerous_accept_parent_resource() } else { grant };
    let grant = if options.legacy { grant.legacy_fallback() } else { grant };
    let grant = if options.accept { grant.accept_issuer(Options::is_accepted) } else { grant };
    // The password is repeatable, and its tokens have refresh tokens.
    grant.with_grant(|found| Password::from_issuer(found.issuer(), Client::post("id", SECRET), "me", PASSWORD))
}

struct Application {
    servers: Servers,
    tokens: Tokens,
    service: BoxCloneService<Request, Response, BoxError>,
    uri: Uri,
}

impl Application {
    async fn run_event(&self, event: &[u8]) {
        let (word, rest) = event.split_at(event.iter().position(|byte| *byte == b' ').unwrap_or(event.len()));
        let tokens = &self.tokens;
        match word {
            b"api" => self.servers.lock().api_responses.push_back(ServerResponse::parse(rest)),
            b"get" => self.servers.lock().documents.push_back(ServerResponse::parse(rest)),
            b"token" => self.servers.lock().token_responses.push_back(ServerResponse::parse(rest)),
            b"request" => self.send_request(self.uri.clone()).await,
            b"other" => self.send_request(Uri::from_static(OTHER_URL)).await,
            b"obtain" => self.check_outcome(self.within_limit(tokens.get()).await.map(drop)),
            b"refresh" => self.check_outcome(self.within_limit(tokens.refresh()).await.map(drop)),
            b"invalidate" => tokens.invalidate(),
            b"forget" => tokens.forget(),
            b"wait" => {
                let seconds = String::from_utf8_lossy(rest).trim().parse::<u16>().unwrap_or(60);
                sleep(Duration::from_secs(seconds.into())).await;
            }
            _ => {}
        }
    }

    async fn send_request(&self, uri: Uri) {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = uri;
        request.headers_mut().insert("x-application", HeaderValue::from_static("mine"));
        let Err(error) = self.within_limit(self.service.clone().oneshot(request)).await else { return };
        match error.downcast::<Error>() {
            Ok(error) => self.check_outcome(Err(*error)),
            // An error of the API.
            Err(error) => assert!(error.is::<io::Error>(), "{error}"),
        }
    }

    async fn within_limit<T>(&self, outcome: impl Future<Output = T>) -> T {
        timeout(LIMIT, outcome).await.expect("the layer hangs")
    }

    fn check_outcome(&self, outcome: Result<(), Error>) {
        let Err(error) = outcome else { return };
        let text = error_text(&error);
        // Also the key of the resource, which `$RESOURCE` repeats.
        assert!(!text.contains(SECRET_PREFIX), "{text}");
        let is_possible = match error.kind() {
            // `accept_issuer` accepts none.
            ErrorKind::Configuration => self.servers.lock().options.accept,
            // A password is no login of a person.
            ErrorKind::LoginRequired => self.servers.lock().demands_login,
            ErrorKind::Transport
            | ErrorKind::Timeout
            | ErrorKind::Overloaded
            | ErrorKind::ClientRejected
            | ErrorKind::RequestRejected
            | ErrorKind::NotOAuth
            | ErrorKind::InvalidGrant
            | ErrorKind::Malformed
            | ErrorKind::Redirected => true,
            _ => false,
        };
        assert!(is_possible, "{text}");
    }
}
