use http::{HeaderMap, StatusCode, Uri, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use url::form_urlencoded;

use super::response::OAuthError;

const MAX_BODY_SIZE: usize = 64 * 1024;

/// The parameters of a request to one of the server's endpoints.
#[derive(Clone)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) async fn read(headers: &HeaderMap, body: Incoming) -> Result<Self, OAuthError> {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_form = media_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        match Limited::new(body, MAX_BODY_SIZE).collect().await {
            Ok(body) if is_form => Ok(Self::parse(&body.to_bytes())),
            _ => Err(OAuthError::invalid_request()),
        }
    }

    /// Parses the parameters in the query of a URI.
    pub(crate) fn query(uri: &Uri) -> Self {
        Self::parse(uri.query().unwrap_or_default().as_bytes())
    }

    fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// Returns a parameter. An empty one counts as absent, and a repeated one is an error (RFC 6749 §3.2).
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        let mut values = self.0.iter().filter(|(n, v)| n == name && !v.is_empty());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(OAuthError::invalid_request()),
            (first, None) => Ok(first.map(|(_, value)| value.as_str())),
        }
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name)?.ok_or_else(OAuthError::invalid_request)
    }

    /// Returns the scope if it is well-formed (RFC 6749 §3.3).
    pub(crate) fn scope(&self) -> Result<Option<&str>, OAuthError> {
        let scope = self.get("scope")?;
        let allowed = |byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
        match scope {
            Some(scope) if !scope.bytes().all(allowed) => Err(OAuthError::bad_request("invalid_scope")),
            scope => Ok(scope),
        }
    }
}
