//! What an endpoint answered: members to read, or the right kind of error (RFC 6749 §5).

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::retry_after;
use crate::clock::Now;
use crate::error::{Error, ErrorKind, OAuthError};

/// A success, to be read by whoever asked.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) members: Map<String, Value>,
}

/// Reads an answer that arrived at `now`. `secrets` are what the request held: no error repeats them.
pub(super) fn read(answer: &Response<Bytes>, now: Now, secrets: &[&str]) -> Result<Answer, Error> {
    let status = answer.status();
    let failed = |error: Error| error.with_status(status).with_retry_after(retry_after::read(answer.headers(), now));
    if status.is_redirection() {
        return Err(failed(Error::new(ErrorKind::Redirected, "")));
    }
    let members = members(answer.body());
    let oauth = members.as_ref().and_then(|members| oauth_error(members, secrets));
    // One that repeats a secret is not kept, and is an error all the same.
    let is_error = members.as_ref().is_some_and(|members| error_code(members).is_some());
    if !status.is_success() || is_error {
        let kind = kind(status, oauth.as_ref().map(OAuthError::error));
        return Err(failed(Error::new(kind, "").with_oauth(oauth)));
    }
    match members {
        Some(members) => Ok(Answer { status, members }),
        None => Err(failed(Error::malformed("it is neither a JSON object nor a form"))),
    }
}

/// The members of the answer: JSON whatever the media type says; what is no JSON but holds the fields of a form is a form.
fn members(body: &[u8]) -> Option<Map<String, Value>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Some(members),
        Ok(_) => None,
        Err(_) => form(body),
    }
}

fn form(body: &[u8]) -> Option<Map<String, Value>> {
    let body = body.trim_ascii();
    let mut members = Map::new();
    // An empty value counts as omitted (RFC 6749 §3.2), and of two of one name the first stands.
    for (name, value) in form_urlencoded::parse(body).filter(|(_, value)| !value.is_empty()) {
        members.entry(name).or_insert_with(|| Value::String(value.into_owned()));
    }
    // Any text reads as some form: only one with the fields of an answer is meant as one.
    ["access_token", "device_code", "error"].iter().any(|name| members.contains_key(*name)).then_some(members)
}

fn oauth_error(members: &Map<String, Value>, secrets: &[&str]) -> Option<OAuthError> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    OAuthError::heard(error_code(members)?, text("error_description"), text("error_uri"), secrets)
}

fn error_code(members: &Map<String, Value>) -> Option<&str> {
    members.get("error").and_then(Value::as_str).filter(|code| !code.chars().all(char::is_control))
}

/// What kind of failure it is. An overloaded server is not believed about anything else: gateways answer 503 with
/// `invalid_grant`, and a login is not to be lost for that.
fn kind(status: StatusCode, code: Option<&str>) -> ErrorKind {
    match (status.as_u16(), code) {
        (408 | 429 | 500..=599, _) | (_, Some("server_error" | "temporarily_unavailable")) => ErrorKind::Overloaded,
        (_, Some("invalid_client" | "unauthorized_client")) | (401, None) => ErrorKind::ClientRejected,
        (_, Some("invalid_grant")) => ErrorKind::InvalidGrant,
        _ => ErrorKind::RequestRejected,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::clock;
    use crate::token::{self, Token};

    fn answer(status: u16, body: impl Into<Bytes>) -> Result<Token, Error> {
        let answer = Response::builder().status(status).body(body.into()).unwrap();
        let answer = read(&answer, clock::now(), &["hunter2"])?;
        token::from_answer(answer.members, clock::now(), &[]).map_err(|error| error.with_status(answer.status))
    }

    #[test]
    fn tokens_as_servers_write_them() {
        for (status, body) in [
            (200, r#"{"access_token":"a","token_type":"Bearer","expires_in":60}"#),
            (201, r#"{"access_token":"a","token_type":"bearer","expires_in":"60"}"#),
            (203, "\u{feff}{\"access_token\":\"a\",\"expires_in\":60.5}"),
            (200, r#"{"access_token":"a","expires_in":60,"error":null}"#),
            (200, r#"{"access_token":"a","expires_in":60,"error":""}"#),
            (200, "access_token=a&token_type=bearer&expires_in=60&scope="),
            (200, "expires_in=60&access_token=a\r\n"),
        ] {
            let token = answer(status, body).unwrap_or_else(|error| panic!("{body}: {error}"));
            assert_eq!(token.access_token(), "a", "{body}");
            let lifetime = token.lifetime(clock::now()).unwrap();
            assert!(lifetime > Duration::from_secs(50) && lifetime <= Duration::from_secs(60), "{body}: {lifetime:?}");
        }
    }

    #[test]
    fn failures_have_the_right_kind() {
        use ErrorKind::*;
        for (status, body, kind) in [
            (200, r#"{"error":"invalid_scope"}"#, RequestRejected),
            (200, r#"{"error":"invalid_grant","access_token":"a"}"#, InvalidGrant),
            (200, "error=invalid_client&error_description=no", ClientRejected),
            (400, r#"{"error":"invalid_grant"}"#, InvalidGrant),
            (400, r#"{"error":"unauthorized_client"}"#, ClientRejected),
            (401, r#"{"error":"invalid_client"}"#, ClientRejected),
            (401, "", ClientRejected),
            (401, r#"{"error":"invalid_grant"}"#, InvalidGrant),
            (403, "", RequestRejected),
            (400, "<html>", RequestRejected),
            (404, "not found", RequestRejected),
            (400, r#"{"error":{"code":"x"}}"#, RequestRejected),
            (408, "", Overloaded),
            (429, r#"{"error":"invalid_grant"}"#, Overloaded),
            (503, r#"{"error":"invalid_grant"}"#, Overloaded),
            (500, "<html>oops</html>", Overloaded),
            (400, r#"{"error":"temporarily_unavailable"}"#, Overloaded),
            (302, "", Redirected),
            (307, r#"{"access_token":"a"}"#, Redirected),
            (304, "", Redirected),
            (200, "", Malformed),
            (204, "", Malformed),
            (200, "<html>sign in</html>", Malformed),
            (200, r#"{"access_token":"a""#, Malformed),
            (200, r#"[{"access_token":"a"}]"#, Malformed),
            (200, r#"{"token":"a"}"#, Malformed),
            (200, r#"{"access_token":"a","expires_in":"soon"}"#, Malformed),
            (200, r#"{"access_token":"a","token_type":"mac"}"#, Malformed),
        ] {
            let error = answer(status, body).unwrap_err();
            assert_eq!(error.kind(), kind, "{status} {body}: {error}");
            assert_eq!(error.status().unwrap().as_u16(), status);
        }
    }

    #[test]
    fn what_the_server_said_is_kept_and_its_echo_of_a_secret_is_not() {
        let error = answer(
            400,
            r#"{"error":"invalid_request","error_description":"hunter2 is wrong","error_uri":"https://e.example/1"}"#,
        )
        .unwrap_err();
        let oauth = error.oauth().unwrap();
        assert_eq!((oauth.error(), oauth.description()), ("invalid_request", None));
        assert_eq!(oauth.uri(), Some("https://e.example/1"));
        let error = answer(400, r#"{"error":"invalid_scope","error_description":["not","text"]}"#).unwrap_err();
        assert_eq!(error.oauth().unwrap().description(), None);
    }

    proptest! {
        #[test]
        fn any_answer_is_a_token_or_an_error(status in 200_u16..600, body: Vec<u8>) {
            let _ = answer(status, body);
        }

        #[test]
        fn any_json_is_a_token_or_an_error(status in 200_u16..600, name in "access_token|expires_in|error|scope", value in ".*") {
            let _ = answer(status, serde_json::json!({"access_token": "a", name: value}).to_string());
        }
    }
}
