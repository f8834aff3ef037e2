//! The server's side: it reads a form, and knows what its own answer says.

use http::header::{ACCEPT, CONTENT_TYPE};
use http_body_util::BodyExt;
use serde_json::{Map, Value};

use crate::Request;

/// The parameters of a request, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// The value of a parameter, which must not stand twice (RFC 6749 §3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(taken, _)| taken == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} stands twice");
        value
    }
}

/// Reads a request to an endpoint of the authorization server.
pub async fn form(request: Request) -> Fields {
    assert_eq!(request.method(), http::Method::POST);
    assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(request.headers()[ACCEPT], "application/json");
    let Ok(body) = request.into_body().collect().await;
    Fields(url::form_urlencoded::parse(&body.to_bytes()).into_owned().collect())
}

/// What an answer says, as JSON or as a form: nothing that the crate tells of it may come from elsewhere.
pub fn members(body: &[u8]) -> Option<Map<String, Value>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Some(members),
        Ok(_) => None,
        Err(_) => {
            let mut members = Map::new();
            for (name, value) in url::form_urlencoded::parse(body.trim_ascii()).filter(|(_, value)| !value.is_empty()) {
                members.entry(name).or_insert_with(|| value.into_owned().into());
            }
            Some(members)
        }
    }
}

/// The code of an error, without what no error repeats.
pub fn code(members: &Map<String, Value>) -> Option<String> {
    let code = members.get("error")?.as_str()?.replace(char::is_control, "");
    (!code.is_empty()).then_some(code)
}
