//! Any scope, address or header that a builder takes is sent as it is meant, and any other is refused without repeating it.
//!
//! An input is the name of the argument in a line, and the argument.

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
use tower_oauth2::grant::{ClientCredentials, Grant as _};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};
use tower_oauth2_fuzz::{Answer, Fields, Request, SECRET, TOKEN_URL, Words, form, gives_away, in_virtual_time, told};
use url::{Host, Url};

const WORDS: Words<'_> = Words(&[("$SECRET", SECRET)]);

fuzz_target!(|input: &[u8]| -> Corpus {
    if gives_away(input) {
        return Corpus::Reject;
    }
    let input = String::from_utf8_lossy(&WORDS.fill(input)).into_owned();
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
            assert_eq!(asked(grant).1.get("scope"), (!sent.is_empty()).then_some(&*sent));
        }
        Err(error) => {
            assert!(!names.iter().all(|name| name.chars().all(is_allowed)));
            is_refusal_of(&error, "scope");
        }
    }
}

fn resource(resource: &str) {
    let is_uri = Url::parse(resource).is_ok_and(|uri| uri.fragment().is_none());
    match grant().resource(resource) {
        Ok(grant) => {
            assert!(is_uri);
            assert_eq!(asked(grant).1.get("resource"), Some(resource));
        }
        Err(error) => {
            assert!(!is_uri);
            is_refusal_of(&error, "resource");
        }
    }
}

fn token_url(token_url: &str) {
    let url = endpoint(token_url);
    match TokenEndpoint::new(token_url, Client::public("id")) {
        Ok(endpoint) => {
            let url = url.expect("no address of an endpoint");
            assert!(is_safe(&url), "cleartext to {url}");
            let (request, _) = asked(ClientCredentials::at(endpoint));
            let sent = request.uri();
            assert_eq!((sent.scheme_str(), sent.host()), (Some(url.scheme()), url.host_str()));
            assert_eq!((sent.port_u16(), sent.path(), sent.query()), (url.port(), url.path(), url.query()));
        }
        Err(error) if error.kind() == ErrorKind::Cleartext => assert!(!is_safe(&url.unwrap())),
        Err(error) => {
            // There are hosts that a URL can have and a request cannot.
            assert!(url.is_none_or(|url| Uri::try_from(url.as_str()).is_err()));
            is_refusal_of(&error, "token_url");
        }
    }
}

/// The token goes to the origin that it is bound to, and the two libraries that read addresses agree which one that is.
fn origin(origin: &str, uri: &str) {
    let home = endpoint(origin);
    let layer = match OAuth2Layer::new(grant()).origin(origin) {
        Ok(layer) => layer,
        Err(error) => {
            assert_eq!(home, None);
            return is_refusal_of(&error, "origin");
        }
    };
    let home = home.expect("no address of an origin");
    let Ok(uri) = Uri::try_from(uri) else { return };
    let text = uri.to_string();
    let url = Url::parse(&text);
    let is_home = uri.host().is_none() || url.as_ref().is_ok_and(|url| url.origin() == home.origin());
    let is_safe = uri.host().is_none() || url.as_ref().is_ok_and(is_safe);
    let is_clear = uri.scheme_str() == Some("http") && url.as_ref().is_ok_and(|url| !self::is_safe(url));
    let is_normal = url.is_ok_and(|url| url.as_str() == text);

    match carries_the_token(&OAuth2Layer::new(grant()), &uri) {
        Ok(carries) => assert!(carries && !is_clear, "the token goes to {uri}"),
        Err(error) => assert!(error.kind() == ErrorKind::Cleartext && (!is_safe || !is_normal), "{error}"),
    }
    match carries_the_token(&layer, &uri) {
        Ok(true) => assert!(is_home && is_safe, "the token goes to {uri}"),
        Ok(false) => assert!(!is_home || !is_normal),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Cleartext);
            assert!(!is_safe || !is_normal, "{error}");
        }
    }
    match carries_the_token(&layer.refuse_foreign_origins(), &uri) {
        Ok(carries) => assert!(carries && is_home && is_safe),
        Err(error) if error.kind() == ErrorKind::ForeignOrigin => assert!(!is_home || !is_normal),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Cleartext),
    }
}

fn header(name: &str, value: &str) {
    let parsed = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
    match grant().header(name, value) {
        Ok(grant) => {
            let (name, value) = parsed.expect("no header");
            let (request, _) = asked(grant);
            // That no header of the protocol is replaced is looked after by those who read the form.
            if !["accept", "authorization", "content-type"].contains(&name.as_str()) {
                assert_eq!(request.headers().get_all(&name).iter().collect::<Vec<_>>(), [&value]);
            }
            assert_eq!(request.headers().get_all(AUTHORIZATION).iter().count(), 1);
            assert_eq!(request.headers()[AUTHORIZATION], "Basic aWQ6c2VjcmV0");
        }
        Err(error) => {
            assert_eq!(parsed, None);
            is_refusal_of(&error, "header");
        }
    }
}

fn is_refusal_of(error: &Error, name: &str) {
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let told = told(error);
    assert!(told.contains(name) && !told.contains(SECRET), "{told}");
}

/// What is an address to send something to (RFC 6749 §3.1, §3.2).
fn endpoint(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (matches!(url.scheme(), "http" | "https") && is_bare).then_some(url)
}

/// Whether nobody on the way can read what is sent there.
fn is_safe(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || is_loopback
}

fn grant() -> ClientCredentials {
    ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap()
}

/// The token request of a grant, and its form.
fn asked(grant: ClientCredentials) -> (Request, Fields) {
    let seen = Arc::new(Mutex::new(None));
    let http = Transport::new(service_fn({
        let seen = seen.clone();
        move |request: Request| {
            *seen.lock().unwrap() = Some(request);
            Answer::read(b"200\n\n{\"access_token\":\"a\"}").sent()
        }
    }));
    in_virtual_time(Duration::from_secs(1), async {
        grant.obtain(None, http).await.unwrap();
        let request = seen.lock().unwrap().take().unwrap();
        let fields = form(request.clone()).await;
        (request, fields)
    })
}

/// Whether a request to `uri` comes through with the token.
fn carries_the_token<G: Send + 'static>(layer: &OAuth2Layer<G>, uri: &Uri) -> Result<bool, Error> {
    layer.tokens().set(Token::bearer("a").unwrap());
    let seen = Arc::new(Mutex::new(None));
    let api = layer.layer(service_fn({
        let seen = seen.clone();
        move |request: Request| {
            *seen.lock().unwrap() = Some(request.headers().contains_key(AUTHORIZATION));
            Answer::read(b"200").sent()
        }
    }));
    let mut request = Request::new(Full::default());
    *request.uri_mut() = uri.clone();
    match in_virtual_time(Duration::from_secs(1), api.oneshot(request)) {
        Ok(_) => Ok(seen.lock().unwrap().unwrap()),
        Err(error) => Err(*error.downcast().unwrap()),
    }
}
