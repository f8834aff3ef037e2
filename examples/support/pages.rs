use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY},
};
use http_body_util::Full;

use super::{
    form::Form,
    response::{OAuthError, ServerResponse},
};

/// The only user of the server. Any password is accepted.
pub(crate) const PERSON: &str = "alice";

/// The user's decision on the consent page.
pub(crate) enum Decision {
    Allow,
    Deny,
    /// The user name or the password is wrong, or no button was chosen.
    Unknown,
}

impl Decision {
    pub(crate) fn of(form: &Form) -> Result<Self, OAuthError> {
        let known = form.get("username")? == Some(PERSON) && form.get("password")?.is_some();
        match form.get("decision")? {
            Some("deny") => Ok(Self::Deny),
            Some("allow") if known => Ok(Self::Allow),
            _ => Ok(Self::Unknown),
        }
    }
}

/// A page for login and consent. Its form is posted to the URL of the page.
pub(crate) fn consent_page(question: &str, user_code_field: Option<&str>, hint: &str) -> ServerResponse {
    let code_field = user_code_field.map(|code| {
        format!(r#"<label>Code <input name="user_code" value="{}" autocomplete="off"></label>"#, escaped(code))
    });
    let form = format!(
        r#"<p>{}</p><p role="alert">{}</p><form method="post">{}
<label>Name <input name="username" autocomplete="username" value="{PERSON}"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Deny</button></form>"#,
        escaped(question),
        escaped(hint),
        code_field.unwrap_or_default(),
    );
    page(StatusCode::OK, &form)
}

/// A page with a message.
pub(crate) fn message_page(status: StatusCode, message: &str) -> ServerResponse {
    page(status, &format!("<p>{}</p>", escaped(message)))
}

/// Redirects the browser with 303, so that it does not repeat the POST with the password (RFC 9700 §4.12).
pub(crate) fn see_other(location: &str) -> ServerResponse {
    match HeaderValue::try_from(location) {
        Ok(location) => {
            let mut response = message_page(StatusCode::SEE_OTHER, "Back to the application.");
            response.headers_mut().insert(LOCATION, location);
            response
        }
        Err(_) => message_page(StatusCode::BAD_REQUEST, "The redirect URI is not a valid header value."),
    }
}

fn page(status: StatusCode, content: &str) -> ServerResponse {
    let html = format!(
        r#"<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>Example server</title>
<style>body {{ font: 1rem system-ui; max-width: 24rem; margin: 3rem auto; padding: 0 1rem }}
label, input, button {{ display: block; width: 100%; box-sizing: border-box; margin: .5rem 0; font: inherit }}</style>
<h1>Example server</h1>{content}</html>"#
    );
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Prevents clickjacking (RFC 9700 §4.16).
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
