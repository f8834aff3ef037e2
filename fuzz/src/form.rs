//! The server: parses forms, and its own responses.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use tower_oauth2::error::OAuthError;

use crate::Request;

/// The parameters of a request, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// Returns the value of a parameter, which must not be repeated (RFC 6749 §3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(taken, _)| taken == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is repeated");
        value
    }
}

/// Checks a request to an endpoint of the authorization server, and parses its form.
pub async fn form(request: Request) -> Fields {
    assert_eq!(request.method(), http::Method::POST);
    assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(request.headers()[ACCEPT], "application/json");
    let Ok(body) = request.into_body().collect().await;
    Fields(url::form_urlencoded::parse(&body.to_bytes()).into_owned().collect())
}

/// Checks a request for a metadata document, and returns its address. It has no body and no credentials.
pub async fn document_address(request: Request) -> String {
    assert_eq!(request.method(), http::Method::GET);
    assert_eq!(request.headers()[ACCEPT], "application/json");
    assert!(!request.headers().contains_key(AUTHORIZATION));
    let address = request.uri().to_string();
    let Ok(body) = request.into_body().collect().await;
    assert!(body.to_bytes().is_empty());
    address
}

/// Parses the members of a response as JSON or as a form. Everything that the crate returns must be one of them.
///
/// A form begins with a name and `=`. An HTML page or a truncated JSON object does not, even if a part of it looks like a field.
pub fn members(body: &[u8]) -> Option<Map<String, Value>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Some(members),
        Ok(_) => None,
        Err(_) => {
            let body = body.trim_ascii();
            let name = &body[..body.iter().position(|byte| *byte == b'=')?];
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:[]%+".contains(byte);
            if name.is_empty() || !name.iter().all(is_name) {
                return None;
            }
            let mut members = Map::new();
            for (name, value) in url::form_urlencoded::parse(body).filter(|(_, value)| !value.is_empty()) {
                members.entry(name).or_insert_with(|| value.into_owned().into());
            }
            Some(members)
        }
    }
}

/// Returns whether a credential has only characters that can be sent (RFC 6749 Appendix A), ASCII or not.
pub fn is_credential(text: &str) -> bool {
    text.chars().all(|c| c == '\t' || !c.is_ascii_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

/// Returns the error code as [`OAuthError`] keeps it: in one line, printable and truncated.
pub fn error_code(members: &Map<String, Value>) -> Option<String> {
    let code = members.get("error")?.as_str()?;
    (!code.chars().all(char::is_control)).then(|| OAuthError::new(code).error().to_owned())
}
