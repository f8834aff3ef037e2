use http::{HeaderMap, StatusCode, Uri, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use url::form_urlencoded;

use super::answer::Refusal;

const LONGEST: usize = 64 * 1024;

/// The parameters of a request to one of the server's endpoints.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) async fn read(headers: &HeaderMap, body: Incoming) -> Result<Self, Refusal> {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_form = media_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        match Limited::new(body, LONGEST).collect().await {
            Ok(body) if is_form => Ok(Self::parse(&body.to_bytes())),
            _ => Err(Refusal::invalid_request()),
        }
    }

    /// The parameters in the query of an address.
    pub(crate) fn query(uri: &Uri) -> Self {
        Self::parse(uri.query().unwrap_or_default().as_bytes())
    }

    fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The parameter's value. RFC 6749 §3.2: without a value it counts as absent, and twice is an error.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.0.iter().filter(|(n, v)| n == name && !v.is_empty());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Refusal::invalid_request()),
            (first, None) => Ok(first.map(|(_, value)| value.as_str())),
        }
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name)?.ok_or_else(Refusal::invalid_request)
    }

    /// The scope, if it is one (RFC 6749 §3.3).
    pub(crate) fn scope(&self) -> Result<Option<&str>, Refusal> {
        let scope = self.get("scope")?;
        let allowed = |byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
        match scope {
            Some(scope) if !scope.bytes().all(allowed) => Err(Refusal::bad_request("invalid_scope")),
            scope => Ok(scope),
        }
    }
}
