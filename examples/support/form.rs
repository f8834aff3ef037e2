use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use url::form_urlencoded;

use super::answer::Refusal;

const LONGEST: usize = 64 * 1024;

/// The parameters of a request to one of the server's endpoints.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) async fn read(headers: &HeaderMap, body: Incoming) -> Result<Self, Refusal> {
        let invalid = Refusal::new(StatusCode::BAD_REQUEST, "invalid_request");
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_form = media_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        match Limited::new(body, LONGEST).collect().await {
            Ok(body) if is_form => Ok(Self::parse(&body.to_bytes())),
            _ => Err(invalid),
        }
    }

    fn parse(body: &Bytes) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The parameter's value. RFC 6749 §3.2: without a value it counts as absent, and twice is an error.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.0.iter().filter(|(n, v)| n == name && !v.is_empty());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_request")),
            (first, None) => Ok(first.map(|(_, value)| value.as_str())),
        }
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name)?.ok_or(Refusal::new(StatusCode::BAD_REQUEST, "invalid_request"))
    }
}
