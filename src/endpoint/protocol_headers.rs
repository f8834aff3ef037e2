//! The headers of every request to the authorization server.

use http::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderValue};

/// Some firewalls reject requests without a `User-Agent`.
const OUR_USER_AGENT: HeaderValue = HeaderValue::from_static(concat!(
    "tower-oauth2/",
    env!("CARGO_PKG_VERSION_MAJOR"),
    ".",
    env!("CARGO_PKG_VERSION_MINOR")
));

/// Inserts the headers. A `User-Agent` and an `Accept-Encoding` of the application are kept.
pub(super) fn insert(headers: &mut HeaderMap) {
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    // The responses are short, and decoders need the feature `decompression`.
    headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
    headers.entry(USER_AGENT).or_insert(OUR_USER_AGENT);
}
