use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use url::form_urlencoded;

use super::{answer::Refusal, form::Form, settings::Settings};

/// The id of the client that sent the request, if it has proved who it is (RFC 6749 §2.3.1). A public client has nothing
/// to prove it with, and only says it.
pub(crate) fn authenticate(settings: &Settings, headers: &HeaderMap, form: &Form) -> Result<String, Refusal> {
    let posted = form.get("client_secret")?;
    let (id, secret) = match (headers.get(AUTHORIZATION), posted) {
        // RFC 6749 §2.3: not more than one method in one request.
        (Some(_), Some(_)) => return Err(Refusal::invalid_request()),
        (Some(value), None) => basic(value.as_bytes()).ok_or_else(Refusal::invalid_client)?,
        (None, Some(secret)) => (form.require("client_id")?.to_owned(), secret.to_owned()),
        (None, None) => {
            let id = form.get("client_id")?.filter(|id| settings.is_public(id));
            return id.map(str::to_owned).ok_or_else(Refusal::invalid_client);
        }
    };
    if settings.knows_secret(&id, &secret) { Ok(id) } else { Err(Refusal::invalid_client()) }
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

/// Id and secret are form-encoded before they are joined with a colon. Half of the world's clients forget that, so a
/// value with a character that cannot occur after encoding is refused rather than guessed at.
fn form_decoded(text: &str) -> Option<String> {
    if text.contains(['&', '=', ':']) {
        return None;
    }
    let (value, _) = form_urlencoded::parse(text.as_bytes()).next()?;
    Some(value.into_owned())
}
