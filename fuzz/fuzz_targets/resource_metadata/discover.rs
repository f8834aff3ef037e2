//! Fetches the metadata alone, and compares the outcome with that of another implementation of RFC 9728 §3.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use http::header::HeaderMap;
use serde_json::Value;
use tower::service_fn;
use tower_oauth2::endpoint::ResourceMetadata;
use tower_oauth2::transport::Transport;
use tower_oauth2::{Challenge, Error, ErrorKind};
use tower_oauth2_fuzz::{
    Ending, Placeholders, Request, Response, ServerResponse, can_be_sent, document_address, error_text, in_virtual_time,
};
use url::Url;

use super::resource::{KEY, Resource};

/// The timeout of all requests together, and one more second.
const LIMIT: Duration = Duration::from_secs(31);

/// The server of the resource.
#[derive(Default)]
struct Site {
    responses: VecDeque<Vec<u8>>,
    /// The addresses that have received a request, with the response.
    sent: Vec<(String, ServerResponse)>,
}

/// The outcome that RFC 9728 §3 and the documentation require.
struct Expected {
    outcome: Result<Value, ErrorKind>,
    /// Whether a response takes as long as the timeout, so that the outcome may also be a timeout.
    may_be_late: bool,
}

pub(crate) fn run<'a>(resource: &Resource, headers: &HeaderMap, responses: impl Iterator<Item = &'a [u8]>) {
    let challenges = Challenge::parse(headers);
    let challenge = challenges.iter().find(|challenge| challenge.resource_metadata().is_some());
    let site = Arc::new(Mutex::new(Site { responses: responses.map(<[u8]>::to_vec).collect(), ..Site::default() }));
    let placeholders = [resource.text.clone(), resource.origin()];
    // It exists until the outcome is compared.
    let http = Transport::new(service_fn({
        let site = site.clone();
        move |request| respond(request, site.clone(), placeholders.clone())
    }));
    let outcome = in_virtual_time(LIMIT, ResourceMetadata::discover(&http, &resource.text, challenge));
    let sent = &site.lock().unwrap().sent;
    match addresses(resource, challenge, sent) {
        Some(addresses) => compare(&outcome, &expected(&addresses, sent), sent),
        None => {
            assert!(sent.is_empty(), "a request after a challenge that cannot be used");
            assert_eq!(kind_of(&outcome), Some(ErrorKind::Malformed));
        }
    }
    if let Err(error) = &outcome {
        let text = error_text(error);
        assert!(!text.contains(KEY), "{text}");
    }
}

/// Returns the addresses in the order in which they are tried, and the identifiers that their documents must have. `None` if the challenge
/// names one that cannot be used.
fn addresses(
    resource: &Resource,
    challenge: Option<&Challenge>,
    sent: &[(String, ServerResponse)],
) -> Option<Vec<(String, String)>> {
    let mut addresses = Vec::new();
    if let Some(named) = challenge.and_then(Challenge::resource_metadata) {
        let (url, may_be_used) = resource.named(named);
        let url = url.map(String::from);
        let is_used = || sent.first().map(|(address, _)| address) == url.as_ref();
        let is_used = may_be_used.unwrap_or_else(is_used);
        addresses.push((url.filter(|_| is_used)?, resource.text.clone()));
    }
    addresses.extend(resource.well_known());
    Some(addresses)
}

fn expected(addresses: &[(String, String)], sent: &[(String, ServerResponse)]) -> Expected {
    let mut expected = Expected { outcome: Err(ErrorKind::Malformed), may_be_late: false };
    let mut sent = sent.iter();
    for (address, identifier) in addresses {
        if !can_be_sent(address) {
            break;
        }
        let Some((requested, response)) = sent.next() else {
            assert!(expected.may_be_late, "{address} is not tried");
            break;
        };
        assert_eq!(requested, address);
        assert!(Url::parse(address).is_ok_and(|url| tower_oauth2_fuzz::is_safe(&url)), "{address}");
        let is_ok = response.status == StatusCode::OK;
        expected.may_be_late |= response.ending == Ending::Stalls;
        expected.outcome = match (response.ending, response.status.as_u16()) {
            (Ending::Fails, _) => Err(ErrorKind::Transport),
            (Ending::Silent, _) => Err(ErrorKind::Timeout),
            (_, 408 | 429 | 500..=599) => Err(ErrorKind::Overloaded),
            (Ending::Breaks, _) if is_ok => Err(ErrorKind::Transport),
            (Ending::Stalls, _) if is_ok => Err(ErrorKind::Timeout),
            (Ending::Complete, 200) => document(response, identifier).ok_or(ErrorKind::Malformed),
            _ => Err(ErrorKind::Malformed),
        };
        // Only a 404 leads to the next address.
        let has_status = !matches!(response.ending, Ending::Fails | Ending::Silent);
        if !has_status || response.status != StatusCode::NOT_FOUND {
            break;
        }
    }
    assert_eq!(sent.next().map(|(address, _)| address), None, "a request after the end");
    expected
}

/// Returns the document of this resource in a complete response.
fn document(response: &ServerResponse, identifier: &str) -> Option<Value> {
    let body = response.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&response.body);
    let document: Value = serde_json::from_slice(body).ok().filter(Value::is_object)?;
    (document["resource"] == *identifier).then_some(document)
}

fn compare(outcome: &Result<ResourceMetadata, Error>, expected: &Expected, sent: &[(String, ServerResponse)]) {
    match (outcome, &expected.outcome) {
        (Ok(found), Ok(document)) => {
            assert_eq!(document["resource"], found.resource());
            let texts = |name: &str| {
                let list = document[name].as_array()?;
                Some(list.iter().filter_map(Value::as_str).collect::<Vec<_>>())
            };
            assert_eq!(found.authorization_servers(), texts("authorization_servers").unwrap_or_default());
            let scopes = found.scopes_supported().map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(scopes, texts("scopes_supported"));
            let members = document.as_object().unwrap();
            for (name, value) in members {
                assert_eq!(found.member(name), Some(value));
            }
            // The names of members and the scopes are shown, and addresses without their queries.
            let servers = found.authorization_servers().iter().filter_map(|issuer| issuer.split('?').next());
            let mut shown = members
                .keys()
                .map(String::as_str)
                .chain(servers)
                .chain(texts("scopes_supported").into_iter().flatten());
            let debug = format!("{found:?}");
            assert!(!debug.contains(KEY) || shown.any(|text| text.contains(KEY)), "{debug}");
        }
        (Err(error), outcome) => {
            let is_late = expected.may_be_late && error.kind() == ErrorKind::Timeout;
            let text = error_text(error);
            assert!(is_late || outcome.as_ref().err() == Some(&error.kind()), "{text} instead of {outcome:?}");
            // The error names each address with the reason, without its query. A long text is truncated.
            let addresses = || sent.iter().filter_map(|(address, _)| address.split('?').next());
            if error.kind() == ErrorKind::Malformed && addresses().map(str::len).sum::<usize>() < 300 {
                assert!(addresses().all(|address| text.contains(address)), "{text}");
            }
        }
        (Ok(found), Err(kind)) => panic!("{found:?} instead of {kind:?}"),
    }
}

async fn respond(request: Request, site: Arc<Mutex<Site>>, placeholders: [String; 2]) -> io::Result<Response> {
    let address = document_address(request).await;
    let response = {
        let mut site = site.lock().unwrap();
        let response = site.responses.pop_front().unwrap_or_else(|| b"404".to_vec());
        let mut response = ServerResponse::parse(&response);
        let [resource, origin] = placeholders;
        // The server has the key if it was in a request.
        let has_key = |url: &str| {
            let url = Url::parse(url).unwrap();
            url.query_pairs().any(|pair| pair == ("key".into(), KEY.into()))
        };
        let key = if has_key(&resource) || has_key(&address) { KEY } else { "" };
        let values = [("$KEY", key), ("$RESOURCE", &*json_text(&resource)), ("$ORIGIN", &*origin)];
        response.body = Placeholders(&values).fill(&response.body).into();
        site.sent.push((address, response.clone()));
        response
    };
    response.deliver().await
}

/// Returns a text as it is written in JSON, without the quotes.
pub(crate) fn json_text(text: &str) -> String {
    let text = Value::from(text).to_string();
    text[1..text.len() - 1].to_owned()
}

fn kind_of(outcome: &Result<ResourceMetadata, Error>) -> Option<ErrorKind> {
    outcome.as_ref().err().map(Error::kind)
}
