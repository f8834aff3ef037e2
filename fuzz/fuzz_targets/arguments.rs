//! A scope, address or header that a builder accepts is sent unchanged. Any other is an error that does not repeat it.
//!
//! An input has the name of the argument on its first line, and then the argument.

#![no_main]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Uri};
use http_body_util::Full;
use libfuzzer_sys::{Corpus, fuzz_target};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::grant::{ClientCredentials, Context, Grant as _};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};
use tower_oauth2_fuzz::{
    Fields, Placeholders, Request, SECRET, ServerResponse, TOKEN_URL, contains_secret, error_text, form,
    in_virtual_time, is_bare, is_safe,
};
use url::Url;

const PLACEHOLDERS: Placeholders<'_> = Placeholders(&[("$SECRET", SECRET)]);

fuzz_target!(|input: &[u8]| -> Corpus {
    if contains_secret(input) {
        return Corpus::Reject;
    }
    let input = String::from_utf8_lossy(&PLACEHOLDERS.fill(input)).into_owned();
    let (name, value) = input.split_once('\n').unwrap_or((&input, ""));
    let (first, second) = value.split_once('\n').unwrap_or((value, ""));
    match name {
        "scope" => scope(value),
        "resource" => resource(value),
        "token_url" => token_url(value),
        "origin" => origin(first, second),
        "header" => header(first, second),
        _ => return Corpus::Reject,
    }
    Corpus::Keep
});

fn scope(scope: &str) {
    let names: Vec<&str> = scope.split(' ').filter(|name| !name.is_empty()).collect();
    // RFC 6749 §3.3.
    let is_allowed = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    match grant().scope(scope) {
        Ok(grant) => {
            assert!(names.iter().all(|name| name.chars().all(is_allowed)));
            let sent = names.join(" ");
            assert_eq!(token_request(grant).1.get("scope"), (!sent.is_empty()).then_some(&*sent));
        }
        Err(error) => {
            assert!(!names.iter().all(|name| name.chars().all(is_allowed)));
            is_argument_error(&error, "scope");
        }
    }
}

fn resource(resource: &str) {
    let is_uri = Url::parse(resource).is_ok_and(|uri| uri.fragment().is_none());
    match grant().resource(resource) {
        Ok(grant) => {
            assert!(is_uri);
            assert_eq!(token_request(grant).1.get("resource"), Some(resource));
        }
        Err(error) => {
            assert!(!is_uri);
            is_argument_error(&error, "resource");
        }
    }
}

fn token_url(token_url: &str) {
    let url = endpoint(token_url);
    match TokenEndpoint::new(token_url, Client::public("id")) {
        Ok(endpoint) => {
            let url = url.expect("the address is not valid for an endpoint");
            assert!(is_safe(&url), "cleartext to {url}");
            let (request, _) = token_request(ClientCredentials::from_endpoint(endpoint));
            let sent = request.uri();
            assert_eq!((sent.scheme_str(), sent.host()), (Some(url.scheme()), url.host_str()));
            assert_eq!((sent.port_u16(), sent.path(), sent.query()), (url.port(), url.path(), url.query()));
        }
        Err(error) if error.kind() == ErrorKind::Cleartext => assert!(!is_safe(&url.unwrap())),
        Err(error) => {
            // Some hosts are valid in a `Url`, but not in a `Uri`.
            assert!(url.is_none_or(|url| Uri::try_from(url.as_str()).is_err()));
            is_argument_error(&error, "token_url");
        }
    }
}

/// Checks that the token is sent only to its origin, and that `Url` and `Uri` agree on the origin of an address.
fn origin(origin: &str, uri: &str) {
    let expected = as_http(origin).and_then(bare);
    let layer = match OAuth2Layer::new(grant()).origin(origin) {
        Ok(layer) => layer,
        Err(error) => {
            assert_eq!(expected, None);
            return is_argument_error(&error, "origin");
        }
    };
    let expected = expected.expect("the address is not valid for an origin");
    let Ok(uri) = Uri::try_from(uri) else { return };
    let text = uri.to_string();
    let url = Url::parse(&text).ok();
    let is_normal = url.as_ref().is_some_and(|url| url.as_str() == text);
    let url = as_http(&text);
    let is_allowed = uri.host().is_none() || url.as_ref().is_some_and(|url| url.origin() == expected.origin());
    let is_safe = uri.host().is_none() || url.as_ref().is_some_and(is_safe);
    let is_clear = url.as_ref().is_some_and(|url| url.scheme() == "http" && !self::is_safe(url));

    match has_token(&OAuth2Layer::new(grant()), &uri) {
        Ok(is_sent) => assert!(is_sent && !is_clear, "the token is sent to {uri}"),
        Err(error) => assert!(error.kind() == ErrorKind::Cleartext && (!is_safe || !is_normal), "{error}"),
    }
    match has_token(&layer, &uri) {
        Ok(true) => assert!(is_allowed && is_safe, "the token is sent to {uri}"),
        Ok(false) => assert!(!is_allowed || !is_normal),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Cleartext);
            assert!(!is_safe || !is_normal, "{error}");
        }
    }
    match has_token(&layer.deny_other_origins(), &uri) {
        Ok(is_sent) => assert!(is_sent && is_allowed && is_safe),
        Err(error) if error.kind() == ErrorKind::OriginDenied => assert!(!is_allowed || !is_normal),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Cleartext),
    }
}

fn header(name: &str, value: &str) {
    let parsed = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
    match grant().header(name, value) {
        Ok(grant) => {
            let (name, value) = parsed.expect("the header is not valid");
            let (request, _) = token_request(grant);
            // `form` checks the headers of the protocol.
            if !["accept", "authorization", "content-type"].contains(&name.as_str()) {
                assert_eq!(request.headers().get_all(&name).iter().collect::<Vec<_>>(), [&value]);
            }
            assert_eq!(request.headers().get_all(AUTHORIZATION).iter().count(), 1);
            assert_eq!(request.headers()[AUTHORIZATION], "Basic aWQ6c2VjcmV0");
        }
        Err(error) => {
            assert_eq!(parsed, None);
            is_argument_error(&error, "header");
        }
    }
}

fn is_argument_error(error: &Error, name: &str) {
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error_text(error);
    assert!(text.contains(name) && !text.contains(SECRET), "{text}");
}

/// Parses the address of an endpoint (RFC 6749 §3.1, §3.2).
fn endpoint(text: &str) -> Option<Url> {
    bare(Url::parse(text).ok()?)
}

fn bare(url: Url) -> Option<Url> {
    is_bare(&url).then_some(url)
}

/// Converts a WebSocket address, because its handshake is an HTTP request to the same server.
fn as_http(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    match url.scheme().strip_prefix("ws") {
        Some(tls @ ("" | "s")) => Url::parse(&format!("http{tls}{}", &url.as_str()[url.scheme().len()..])).ok(),
        _ => Some(url),
    }
}

fn grant() -> ClientCredentials {
    ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap()
}

/// Obtains a token, and returns the token request and its form.
fn token_request(grant: ClientCredentials) -> (Request, Fields) {
    let seen = Arc::new(Mutex::new(None));
    let http = Transport::new(service_fn({
        let seen = seen.clone();
        move |request: Request| {
            *seen.lock().unwrap() = Some(request);
            ServerResponse::parse(b"200\n\n{\"access_token\":\"a\"}").deliver()
        }
    }));
    in_virtual_time(Duration::from_secs(1), async {
        grant.obtain(Context::new(http)).await.unwrap();
        let request = seen.lock().unwrap().take().unwrap();
        let fields = form(request.clone()).await;
        (request, fields)
    })
}

/// Sends a request to `uri`, and returns whether it has the token.
fn has_token<G: Send + 'static>(layer: &OAuth2Layer<G>, uri: &Uri) -> Result<bool, Error> {
    layer.tokens().set(Token::bearer("a").unwrap());
    let seen = Arc::new(Mutex::new(None));
    let api = layer.layer(service_fn({
        let seen = seen.clone();
        move |request: Request| {
            *seen.lock().unwrap() = Some(request.headers().contains_key(AUTHORIZATION));
            ServerResponse::parse(b"200").deliver()
        }
    }));
    let mut request = Request::new(Full::default());
    *request.uri_mut() = uri.clone();
    match in_virtual_time(Duration::from_secs(1), api.oneshot(request)) {
        Ok(_) => Ok(seen.lock().unwrap().unwrap()),
        Err(error) => Err(*error.downcast().unwrap()),
    }
}
