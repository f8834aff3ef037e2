//! A metadata document is used only if it is that of the issuer, and only addresses in it that are safe receive a request. Anything else
//! is an error of the documented kind.
//!
//! The first section of an input has these lines: the issuer, and the address of the metadata (empty for the well-known addresses), to
//! which the target adds a query with a key. The other sections are the responses of the server, in their order. After the last one,
//! nothing is found. `$ISSUER` is the issuer, and `$KEY` the key.

#![no_main]

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, StatusCode, Uri};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use tokio::task::yield_now;
use tokio::time::sleep;
use tower::service_fn;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{Issuer, Metadata, TokenEndpoint};
use tower_oauth2::form::Form;
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind};
use tower_oauth2_fuzz::{
    Ending, Placeholders, Request, Response, SECRET, ServerResponse, can_be_sent, check_address_error, contains_secret,
    document_address, error_text, form, in_virtual_time, is_bare, is_private, is_public_name, is_safe,
    issuer_addresses, sections,
};
use url::Url;

/// The key in the query of the metadata's address.
const KEY: &str = "hunter2-key";

/// Longer than any document is kept.
const TWO_DAYS: Duration = Duration::from_secs(2 * 24 * 60 * 60);

fuzz_target!(|input: &[u8]| -> Corpus {
    if contains_secret(input) {
        return Corpus::Reject;
    }
    let mut sections = sections(input);
    let first = String::from_utf8_lossy(sections.next().unwrap_or_default()).replace("$SECRET", SECRET);
    let (text, metadata_url) = first.split_once('\n').unwrap_or((&first, ""));
    let Some(issuer) = issuer(text, metadata_url) else { return Corpus::Keep };
    // Errors show the issuer.
    if text.contains(SECRET) {
        return Corpus::Reject;
    }
    let server = Server { responses: sections.map(<[u8]>::to_vec).collect(), ..Server::new(text, metadata_url) };
    let server = Arc::new(Mutex::new(server));
    let http = Transport::new(service_fn({
        let server = server.clone();
        move |request| respond(request, server.clone())
    }));
    in_virtual_time(3 * TWO_DAYS, async {
        // Both share one fetch. If it takes long, the other sends its own request.
        let other = (!server.lock().unwrap().may_hang()).then(|| {
            let (issuer, http) = (issuer.clone(), http.clone());
            tokio::spawn(async move { issuer.metadata(&http).await })
        });
        let one = issuer.metadata(&http).await;
        let expected = server.lock().unwrap().end_fetch();
        let found = check_outcome(&one, &expected, text);
        if let Some(other) = other {
            let other = other.await.unwrap();
            assert!(kind_of(&one) == kind_of(&other), "{one:?} and {other:?}");
        }
        if let Some(metadata) = &found {
            send_token_request(&issuer, metadata, &http, &server).await;
        }
        // An outdated document stays in use if there is no newer one.
        sleep(TWO_DAYS).await;
        let later = issuer.metadata(&http).await;
        let expected = server.lock().unwrap().end_fetch();
        match &later {
            Ok(metadata) if found.as_ref().is_some_and(|found| Arc::ptr_eq(found, metadata)) => {
                assert!(!matches!(expected.kind, Ok(())) || expected.may_be_late);
            }
            later => drop(check_outcome(later, &expected, text)),
        }
        assert!(found.is_none() || later.is_ok());
    });
    Corpus::Keep
});

/// Creates the issuer, or returns `None` if the arguments are not valid.
fn issuer(text: &str, metadata_url: &str) -> Option<Issuer> {
    let url = Url::parse(text).ok().filter(|url| is_bare(url) && url.query().is_none());
    // They would not be part of a URL.
    let url = url.filter(|_| !text.contains(|c: char| c.is_whitespace() || c.is_control()));
    let issuer = match Issuer::new(text) {
        Ok(issuer) => {
            assert!(is_safe(&url.expect("it is not valid for an issuer")));
            assert_eq!(issuer.as_str(), text);
            issuer
        }
        Err(error) => {
            check_address_error(&error, url.as_ref(), "issuer");
            return None;
        }
    };
    if metadata_url.is_empty() {
        return Some(issuer);
    }
    let metadata_url = with_key(metadata_url);
    let url = Url::parse(&metadata_url).ok().filter(is_bare);
    match issuer.metadata_url(&metadata_url) {
        Ok(issuer) => {
            assert!(is_safe(&url.expect("it is not valid for an address")));
            assert!(!format!("{issuer:?}").contains(KEY), "{issuer:?}");
            Some(issuer)
        }
        Err(error) => {
            check_address_error(&error, url.as_ref(), "metadata_url");
            None
        }
    }
}

/// Adds the key to an address, as a parameter of its own.
fn with_key(metadata_url: &str) -> String {
    let separator = if metadata_url.contains('?') { '&' } else { '?' };
    format!("{metadata_url}{separator}key={KEY}")
}

/// The server, and what it expects of a fetch of the metadata.
struct Server {
    issuer: String,
    /// The addresses to which requests are sent, in their order.
    addresses: Vec<String>,
    responses: VecDeque<Vec<u8>>,
    /// The responses of the running fetch.
    sent: Vec<ServerResponse>,
    /// The address of the token endpoint, once it may receive a request.
    token_endpoint: Option<Uri>,
}

/// The outcome of a fetch that RFC 8414 §3 and the documentation of `Issuer` require.
struct Expected {
    kind: Result<(), ErrorKind>,
    /// Whether a response takes as long as the timeout, so that the outcome may also be a timeout.
    may_be_late: bool,
    /// The response with the document.
    document: Option<Value>,
}

impl Server {
    fn new(issuer: &str, metadata_url: &str) -> Self {
        let mut addresses = if metadata_url.is_empty() {
            issuer_addresses(&Url::parse(issuer).unwrap())
        } else {
            vec![Url::parse(&with_key(metadata_url)).unwrap().into()]
        };
        addresses.retain(|address| can_be_sent(address));
        let (responses, sent) = (VecDeque::new(), Vec::new());
        Self { issuer: issuer.to_owned(), addresses, responses, sent, token_endpoint: None }
    }

    fn next_response(&mut self, secrets: &[(&str, &str)]) -> ServerResponse {
        let response = self.responses.pop_front().unwrap_or_else(|| b"404".to_vec());
        let issuer = Value::from(self.issuer.as_str()).to_string();
        // The quotes are part of the document.
        let issuer = ("$ISSUER", &issuer[1..issuer.len() - 1]);
        let mut response = ServerResponse::parse(&response);
        response.body = Placeholders(&[&[issuer][..], secrets].concat()).fill(&response.body).into();
        response
    }

    /// Returns whether a response may take as long as the timeout.
    fn may_hang(&self) -> bool {
        let mut endings = self.responses.iter().map(|response| ServerResponse::parse(response).ending);
        endings.any(|ending| matches!(ending, Ending::Stalls | Ending::Silent))
    }

    /// Ends the fetch, and returns its outcome.
    fn end_fetch(&mut self) -> Expected {
        let (sent, count) = (std::mem::take(&mut self.sent), self.addresses.len());
        let is_outage = |status: StatusCode| matches!(status.as_u16(), 408 | 429 | 500..=599);
        let mut expected = Expected { kind: Err(ErrorKind::Malformed), may_be_late: false, document: None };
        let mut responses = sent.iter().enumerate();
        for (at, response) in responses.by_ref() {
            let is_ok = response.status == StatusCode::OK;
            expected.may_be_late |= response.ending == Ending::Stalls;
            expected.kind = Err(match response.ending {
                Ending::Fails => ErrorKind::Transport,
                Ending::Silent => ErrorKind::Timeout,
                _ if is_outage(response.status) => ErrorKind::Overloaded,
                Ending::Breaks if is_ok => ErrorKind::Transport,
                Ending::Stalls if is_ok => ErrorKind::Timeout,
                _ => ErrorKind::Malformed,
            });
            let body = response.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&response.body);
            let document = serde_json::from_slice(body).ok().filter(Value::is_object);
            let document = document.filter(|_| is_ok && response.is_complete());
            expected.document = document.filter(|document: &Value| document["issuer"] == *self.issuer);
            if expected.document.is_some() {
                expected.kind = Ok(());
            }
            // Each of these ends the fetch.
            if expected.kind != Err(ErrorKind::Malformed) {
                break;
            }
            assert!(at + 1 == count || at + 1 < sent.len() || expected.may_be_late, "the next address is not tried");
        }
        assert_eq!(responses.next().map(|(at, _)| at), None, "a request after the end");
        expected
    }
}

async fn respond(request: Request, server: Arc<Mutex<Server>>) -> io::Result<Response> {
    if request.method() == Method::POST {
        let uri = request.uri().clone();
        assert_eq!(server.lock().unwrap().token_endpoint.as_ref(), Some(&uri));
        assert_eq!(form(request).await.get("client_secret"), Some(SECRET));
        let response = server.lock().unwrap().next_response(&[("$SECRET", SECRET)]);
        return response.deliver().await;
    }
    let uri = document_address(request).await;
    let response = {
        let mut server = server.lock().unwrap();
        assert_eq!(server.addresses.get(server.sent.len()), Some(&uri));
        let key = if uri.contains(KEY) { KEY } else { "" };
        let response = server.next_response(&[("$KEY", key)]);
        server.sent.push(response.clone());
        response
    };
    // The other caller begins to wait.
    yield_now().await;
    response.deliver().await
}

/// Returns the metadata if it was found.
fn check_outcome(outcome: &Result<Arc<Metadata>, Error>, expected: &Expected, issuer: &str) -> Option<Arc<Metadata>> {
    match outcome {
        Ok(metadata) => {
            let document = expected.document.as_ref().expect("the document of another issuer is used");
            assert_eq!(metadata.issuer(), issuer);
            check_endpoints(metadata, document, issuer);
            Some(metadata.clone())
        }
        Err(error) => {
            let text = error_text(error);
            assert!(!text.contains(KEY), "{text}");
            let is_late = expected.may_be_late && error.kind() == ErrorKind::Timeout;
            assert!(is_late || expected.kind == Err(error.kind()), "{text} instead of {:?}", expected.kind);
            None
        }
    }
}

fn check_endpoints(metadata: &Metadata, document: &Value, issuer: &str) {
    for (name, found) in [
        ("authorization_endpoint", metadata.authorization_endpoint()),
        ("token_endpoint", metadata.token_endpoint()),
        ("device_authorization_endpoint", metadata.device_authorization_endpoint()),
        ("revocation_endpoint", metadata.revocation_endpoint()),
        ("registration_endpoint", metadata.registration_endpoint()),
        ("pushed_authorization_request_endpoint", metadata.pushed_authorization_request_endpoint()),
    ] {
        let url = document[name].as_str().and_then(|text| Url::parse(text).ok());
        // An address that is too long for a `Uri` cannot receive a request.
        let url = url.filter(|url| is_bare(url) && is_safe(url) && can_be_sent(url.as_str()));
        let issuer = Url::parse(issuer).unwrap();
        if let Some(found) = found {
            assert_eq!(url.as_ref(), Some(found), "{name}");
            assert!(!is_public_name(&issuer) || !is_private(found), "{name}: {found}");
        } else {
            // The rules of the crate decide about addresses that are no names.
            assert!(url.is_none_or(|url| !is_private(&issuer) && !is_public_name(&url)), "{name}");
        }
    }
    for (name, value) in document.as_object().unwrap() {
        assert_eq!(metadata.member(name), Some(value));
    }
}

/// Sends a token request with the document that was found.
async fn send_token_request(issuer: &Issuer, metadata: &Metadata, http: &Transport, server: &Mutex<Server>) {
    let address = metadata.token_endpoint().map(|url| Uri::try_from(url.as_str()).unwrap());
    server.lock().unwrap().token_endpoint.clone_from(&address);
    let endpoint = TokenEndpoint::discover(issuer, Client::post("id", SECRET)).unwrap();
    let outcome = endpoint.token(http, Form::new("client_credentials")).await;
    assert!(server.lock().unwrap().sent.is_empty(), "the document is fetched again");
    let Err(error) = outcome else { return };
    let text = error_text(&error);
    assert!(!text.contains(SECRET), "{text}");
    if address.is_none() {
        assert!(error.kind() == ErrorKind::Malformed && text.contains("`token_endpoint`"), "{text}");
    }
}

fn kind_of(outcome: &Result<Arc<Metadata>, Error>) -> Option<ErrorKind> {
    outcome.as_ref().err().map(Error::kind)
}
