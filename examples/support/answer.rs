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
    pub(crate) fn new(status: StatusCode, error: &'static str) -> Self {
        Self { status, error }
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
