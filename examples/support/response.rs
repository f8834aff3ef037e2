use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use http_body_util::Full;
use serde_json::{Value, json};

pub(crate) type ServerResponse = Response<Full<Bytes>>;

/// An error response (RFC 6749 §5.2).
#[derive(Debug)]
pub(crate) struct OAuthError {
    status: StatusCode,
    error: &'static str,
}

impl OAuthError {
    pub(crate) fn bad_request(error: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error }
    }

    pub(crate) fn invalid_request() -> Self {
        Self::bad_request("invalid_request")
    }

    pub(crate) fn invalid_grant() -> Self {
        Self::bad_request("invalid_grant")
    }

    pub(crate) fn invalid_client() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_client" }
    }

    /// The error code.
    pub(crate) fn error(&self) -> &'static str {
        self.error
    }

    pub(crate) fn response(self) -> ServerResponse {
        let mut response = json_response(self.status, &json!({ "error": self.error }));
        if self.status == StatusCode::UNAUTHORIZED {
            challenge(&mut response, "Basic realm=\"token endpoint\"");
        }
        response
    }
}

/// A JSON response that must not be cached (RFC 6749 §5.1).
pub(crate) fn json_response(status: StatusCode, value: &Value) -> ServerResponse {
    let mut response = Response::new(Full::from(value.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) fn challenge(response: &mut ServerResponse, challenge: &'static str) {
    let value = HeaderValue::from_static(challenge);
    response.headers_mut().insert(WWW_AUTHENTICATE, value);
}

pub(crate) fn not_found() -> ServerResponse {
    json_response(StatusCode::NOT_FOUND, &json!({ "error": "not_found" }))
}
