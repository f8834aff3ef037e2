use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use http_body_util::Full;
use serde_json::{Value, json};

pub(crate) type Answer = Response<Full<Bytes>>;

/// An error answer of RFC 6749 §5.2.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: &'static str,
}

impl Refusal {
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

    /// The code of the error.
    pub(crate) fn error(&self) -> &'static str {
        self.error
    }

    pub(crate) fn answer(self) -> Answer {
        let mut answer = json_answer(self.status, &json!({ "error": self.error }));
        if self.status == StatusCode::UNAUTHORIZED {
            challenge(&mut answer, "Basic realm=\"token endpoint\"");
        }
        answer
    }
}

/// JSON that no cache may keep (RFC 6749 §5.1).
pub(crate) fn json_answer(status: StatusCode, value: &Value) -> Answer {
    let mut answer = Response::new(Full::from(value.to_string()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

pub(crate) fn challenge(answer: &mut Answer, challenge: &'static str) {
    let value = HeaderValue::from_static(challenge);
    answer.headers_mut().insert(WWW_AUTHENTICATE, value);
}

pub(crate) fn not_found() -> Answer {
    json_answer(StatusCode::NOT_FOUND, &json!({ "error": "not_found" }))
}
