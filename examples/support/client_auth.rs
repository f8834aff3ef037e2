use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use url::form_urlencoded;

use super::{form::Form, response::OAuthError, server::State};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Authenticates the client and returns its id (RFC 6749 §2.3.1). A public client has no secret and only sends its id.
pub(crate) fn authenticate(state: &State, headers: &HeaderMap, form: &Form) -> Result<String, OAuthError> {
    if let Some(assertion) = form.get("client_assertion")? {
        return by_assertion(state, headers, form, assertion);
    }
    let posted = form.get("client_secret")?;
    let (id, secret) = match (headers.get(AUTHORIZATION), posted) {
        // At most one method in each request (RFC 6749 §2.3).
        (Some(_), Some(_)) => return Err(OAuthError::invalid_request()),
        (Some(value), None) => basic(value.as_bytes()).ok_or_else(OAuthError::invalid_client)?,
        (None, Some(secret)) => (form.require("client_id")?.to_owned(), secret.to_owned()),
        (None, None) => {
            let id = form.get("client_id")?.filter(|id| state.is_public(id));
            return id.map(str::to_owned).ok_or_else(OAuthError::invalid_client);
        }
    };
    if state.settings.knows_secret(&id, &secret) { Ok(id) } else { Err(OAuthError::invalid_client()) }
}

/// RFC 7523 §2.2: the subject of the assertion is the client.
fn by_assertion(state: &State, headers: &HeaderMap, form: &Form, assertion: &str) -> Result<String, OAuthError> {
    let is_only_method = !headers.contains_key(AUTHORIZATION) && form.get("client_secret")?.is_none();
    if !is_only_method || form.require("client_assertion_type")? != JWT_BEARER {
        return Err(OAuthError::invalid_request());
    }
    let claims = state.assertions.verify(assertion, &[&state.issuer], false).ok_or_else(OAuthError::invalid_client)?;
    let client = claims["sub"].as_str().ok_or_else(OAuthError::invalid_client)?;
    if form.get("client_id")?.is_some_and(|id| id != client) {
        return Err(OAuthError::invalid_client());
    }
    Ok(client.to_owned())
}

fn basic(header: &[u8]) -> Option<(String, String)> {
    let (scheme, credentials) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (id, secret) = credentials.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?))
}

/// Id and secret are form-encoded before they are joined with a colon. Many clients do not encode them, so a value with a
/// character that cannot occur after encoding is rejected.
fn form_decoded(text: &str) -> Option<String> {
    if text.contains(['&', '=', ':']) {
        return None;
    }
    let (value, _) = form_urlencoded::parse(text.as_bytes()).next()?;
    Some(value.into_owned())
}
