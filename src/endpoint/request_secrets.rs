//! The secrets of a request, which errors must not repeat.

use bytes::Bytes;
use http::Request;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use crate::form::{MIN_SECRET_LEN, is_secret, secrets_in};

/// Headers whose value is not a secret.
const PUBLIC: [HeaderName; 6] = [ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT];

#[derive(Default)]
pub(super) struct RequestSecrets(Vec<Zeroizing<String>>);

impl RequestSecrets {
    /// Adds a secret and its form-encoded text, because a server may repeat either.
    pub(super) fn add(&mut self, secret: &str) {
        self.0.push(Zeroizing::new(secret.to_owned()));
        self.0.push(Zeroizing::new(byte_serialize(secret.as_bytes()).collect()));
    }

    pub(super) fn add_headers(&mut self, headers: &HeaderMap) {
        for (_, value) in headers.iter().filter(|(name, _)| !PUBLIC.contains(name)) {
            self.add_header(value);
        }
    }

    /// Adds the secrets of a request that `map_request` has changed: headers, query parameters, members of the body.
    pub(super) fn add_request(&mut self, request: &Request<Bytes>) {
        self.add_headers(request.headers());
        self.add_query(request.uri().query());
        match serde_json::from_slice(request.body()) {
            Ok(value) => self.add_json("", &value),
            Err(_) => self.add_pairs(request.body()),
        }
    }

    /// Adds the secrets in a query, such as the API key of a gateway.
    pub(super) fn add_query(&mut self, query: Option<&str>) {
        self.add_pairs(query.unwrap_or_default().as_bytes());
    }

    pub(super) fn texts(&self) -> Vec<&str> {
        self.0.iter().map(|secret| secret.as_str()).collect()
    }

    /// Adds the value of a header, and its part after the scheme, as in `Basic aWQ6c2VjcmV0`.
    fn add_header(&mut self, value: &HeaderValue) {
        let Ok(text) = value.to_str() else { return };
        let credentials = text.split_once(' ').map(|(_, credentials)| credentials);
        for text in [text].into_iter().chain(credentials).filter(|text| text.len() >= MIN_SECRET_LEN) {
            self.add(text);
        }
    }

    fn add_pairs(&mut self, pairs: &[u8]) {
        secrets_in(pairs).for_each(|secret| self.add(&secret));
    }

    fn add_json(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) if is_secret(name, text) => self.add(text),
            Value::Array(values) => values.iter().for_each(|value| self.add_json(name, value)),
            Value::Object(members) => members.iter().for_each(|(name, value)| self.add_json(name, value)),
            _ => {}
        }
    }
}
