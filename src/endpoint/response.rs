//! Parses a response of an endpoint into its members or an error (RFC 6749 §5).

use bytes::Bytes;
use http::{Response, StatusCode, Uri};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::classify::{ErrorBody, error_kind, repeats_status};
use super::retry_after;
use crate::clock::Now;
use crate::error::{Error, ErrorKind, OAuthError};

/// A response that the server sent with success.
pub(crate) struct EndpointResponse {
    /// The address of the endpoint.
    pub(crate) uri: Uri,
    pub(crate) status: StatusCode,
    pub(crate) members: Map<String, Value>,
}

/// Parses the response of the endpoint at `uri`, which arrived at `now`.
///
/// No error repeats one of the `secrets`, which the request contained. `authenticates` is whether the request authenticated the client.
pub(super) fn parse(
    response: &Response<Bytes>,
    uri: &Uri,
    now: Now,
    secrets: &[&str],
    authenticates: bool,
) -> Result<EndpointResponse, Error> {
    let status = response.status();
    let failed =
        |error: Error| error.with_status(status).with_retry_after_header(retry_after::parse(response.headers(), now));
    if status.is_redirection() {
        return Err(failed(Error::new(ErrorKind::Redirected, "")));
    }
    let members = members(response.body());
    let oauth = members.as_ref().and_then(|members| oauth_error(members, status, secrets));
    // An OAuth error that repeats a secret is dropped, but it still makes the response an error.
    let is_error = members.as_ref().is_some_and(|members| error_code(members, status).is_some());
    if !status.is_success() || is_error {
        let body = match &oauth {
            Some(oauth) => ErrorBody::Code(oauth.error()),
            None if is_error => ErrorBody::Redacted,
            None => ErrorBody::without_oauth_error(without_byte_order_mark(response.body())),
        };
        return Err(failed(Error::new(error_kind(status, body, authenticates), "").with_oauth_response(oauth)));
    }
    match members {
        Some(members) => Ok(EndpointResponse { uri: uri.clone(), status, members }),
        None => Err(failed(Error::malformed("it is neither a JSON object nor a form"))),
    }
}

/// Returns the body without the byte order mark that some servers begin it with.
pub(super) fn without_byte_order_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// Returns the members of the body, which is parsed as JSON regardless of its media type, or else as a form.
fn members(body: &[u8]) -> Option<Map<String, Value>> {
    let body = without_byte_order_mark(body);
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Some(members),
        Ok(_) => None,
        Err(_) => form(body),
    }
}

fn form(body: &[u8]) -> Option<Map<String, Value>> {
    let body = body.trim_ascii();
    if !begins_with_name(body) {
        return None;
    }
    let mut members = Map::new();
    // An empty value counts as omitted (RFC 6749 §3.2). Of several values with one name, the first is used.
    for (name, value) in form_urlencoded::parse(body).filter(|(_, value)| !value.is_empty()) {
        members.entry(name).or_insert_with(|| Value::String(value.into_owned()));
    }
    // Any text can be parsed as a form, so a form must have one of the fields of a response.
    ["access_token", "refresh_token", "device_code", "error"]
        .iter()
        .any(|name| members.contains_key(*name))
        .then_some(members)
}

/// Returns whether the body begins with a name and `=`, as a form does.
///
/// The page of a proxy and a truncated JSON object may contain a URL, part of which looks like a field:
/// `<a href="https://sso.example/?next=token&error=invalid_grant&…">`.
fn begins_with_name(body: &[u8]) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:[]%+".contains(byte);
    body.iter().find(|byte| !is_of_name(byte)) == Some(&b'=') && !body.starts_with(b"=")
}

fn oauth_error(members: &Map<String, Value>, status: StatusCode, secrets: &[&str]) -> Option<OAuthError> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    OAuthError::from_response(error_code(members, status)?, text("error_description"), text("error_uri"), secrets)
}

fn error_code(members: &Map<String, Value>, status: StatusCode) -> Option<&str> {
    let code = members.get("error").and_then(Value::as_str)?;
    (!code.chars().all(char::is_control) && !repeats_status(code, status)).then_some(code)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::clock;
    use crate::token::{self, IssuedTypes, Token};

    fn parsed(status: u16, body: impl Into<Bytes>) -> Result<Token, Error> {
        parsed_for(true, status, body)
    }

    fn parsed_for(authenticates: bool, status: u16, body: impl Into<Bytes>) -> Result<Token, Error> {
        let response = Response::builder().status(status).body(body.into()).unwrap();
        let uri = Uri::from_static("https://auth.example.com/token");
        let response = parse(&response, &uri, clock::now(), &["hunter2"], authenticates)?;
        token::from_response(response.members, clock::now(), &[], IssuedTypes::Bearer)
            .map_err(|error| error.with_status(response.status))
    }

    #[test]
    fn tokens_in_the_variants_that_servers_send() {
        for (status, body) in [
            (200, r#"{"access_token":"a","token_type":"Bearer","expires_in":60}"#),
            (201, r#"{"access_token":"a","token_type":"bearer","expires_in":"60"}"#),
            (203, "\u{feff}{\"access_token\":\"a\",\"expires_in\":60.5}"),
            (200, r#"{"access_token":"a","expires_in":60,"error":null}"#),
            (200, r#"{"access_token":"a","expires_in":60,"error":""}"#),
            (200, "access_token=a&token_type=bearer&expires_in=60&scope="),
            (200, "expires_in=60&access_token=a\r\n"),
        ] {
            let token = parsed(status, body).unwrap_or_else(|error| panic!("{body}: {error}"));
            assert_eq!(token.access_token(), "a", "{body}");
            let lifetime = token.remaining(clock::now()).unwrap();
            assert!(lifetime > Duration::from_secs(50) && lifetime <= Duration::from_secs(60), "{body}: {lifetime:?}");
        }
    }

    #[test]
    fn error_responses_have_the_right_kind() {
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
            (400, r#"{"error":"hunter2"}"#, RequestRejected),
            (401, r#"{"error":"hunter2"}"#, ClientRejected),
            (403, r#"{"error":"access_denied"}"#, RequestRejected),
            (404, r#"{"error":"unknown_tenant"}"#, RequestRejected),
            // Responses of a proxy, a firewall, or a gateway without a route.
            (403, "", NotOAuth),
            (400, "<html>", NotOAuth),
            (401, "\u{feff}\r\n<!DOCTYPE html>", NotOAuth),
            (404, "not found", NotOAuth),
            (407, "<html>", NotOAuth),
            (400, r#"{"error":{"code":"x"}}"#, NotOAuth),
            (404, r#"{"status":404,"error":"Not Found","path":"/token"}"#, NotOAuth),
            (403, r#"{"error":"forbidden"}"#, NotOAuth),
            (404, r#"{"error":"not_found"}"#, NotOAuth),
            (413, r#"{"message":"no"}"#, NotOAuth),
            (401, r#"{"error":"Unauthorized"}"#, ClientRejected),
            (401, r#"{"error":{"code":"x"}}"#, ClientRejected),
            (401, "who?", ClientRejected),
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
            let error = parsed(status, body).unwrap_err();
            assert_eq!(error.kind(), kind, "{status} {body}: {error}");
            assert_eq!(error.status().unwrap().as_u16(), status);
        }
    }

    #[test]
    fn a_401_without_an_oauth_error_rejects_the_request_of_a_client_without_a_credential() {
        use ErrorKind::*;
        for (body, kind) in [
            ("", RequestRejected),
            (r#"{"error":{"code":"x"}}"#, RequestRejected),
            (r#"{"error":"Unauthorized"}"#, RequestRejected),
            (r#"{"error":"hunter2"}"#, RequestRejected),
            ("<html>", NotOAuth),
            (r#"{"error":"invalid_client"}"#, ClientRejected),
            (r#"{"error":"unauthorized_client"}"#, ClientRejected),
            (r#"{"error":"invalid_grant"}"#, InvalidGrant),
        ] {
            assert_eq!(parsed_for(false, 401, body).unwrap_err().kind(), kind, "{body}");
        }
    }

    #[test]
    fn the_oauth_error_is_kept_without_texts_that_repeat_a_secret() {
        let error = parsed(
            400,
            r#"{"error":"invalid_request","error_description":"hunter2 is wrong","error_uri":"https://e.example/1"}"#,
        )
        .unwrap_err();
        let oauth = error.oauth().unwrap();
        assert_eq!((oauth.error(), oauth.description()), ("invalid_request", None));
        assert_eq!(oauth.uri(), Some("https://e.example/1"));
        let error = parsed(400, r#"{"error":"invalid_scope","error_description":["not","text"]}"#).unwrap_err();
        assert_eq!(error.oauth().unwrap().description(), None);
    }

    proptest! {
        #[test]
        fn any_response_is_a_token_or_an_error(status in 200_u16..600, body: Vec<u8>) {
            let _ = parsed(status, body);
        }

        #[test]
        fn any_json_is_a_token_or_an_error(status in 200_u16..600, name in "access_token|expires_in|error|scope", value in ".*") {
            let _ = parsed(status, serde_json::json!({"access_token": "a", name: value}).to_string());
        }
    }
}
