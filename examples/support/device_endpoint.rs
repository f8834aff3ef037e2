use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{
    client_auth::authenticate,
    devices::DeviceRequest,
    form::Form,
    pages::{Decision, consent_page, message_page},
    pkce::Challenge,
    response::{OAuthError, ServerResponse, json_response},
    server::State,
};

const QUESTION: &str = "May the device that shows this code act for you?";

/// `POST /device_authorization`: the device authorization request (RFC 8628 §3.1).
pub(crate) async fn authorize(state: &State, request: Request<Incoming>) -> ServerResponse {
    let (parts, body) = request.into_parts();
    let started = Form::read(&parts.headers, body).await.and_then(|form| {
        let client = authenticate(state, &parts.headers, &form)?;
        start(state, client, &form)
    });
    match started {
        Ok(codes) => json_response(StatusCode::OK, &codes),
        Err(error) => error.response(),
    }
}

fn start(state: &State, client: String, form: &Form) -> Result<Value, OAuthError> {
    let challenge = Challenge::of(form)?;
    let scope = form.scope()?.map(str::to_owned);
    let (device_code, user_code) = state.devices.start(&state.settings, DeviceRequest { client, challenge, scope });
    let page = format!("{}/device", state.issuer);
    Ok(json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": state.settings.device_lifetime.as_secs(),
        "interval": state.settings.device_interval.as_secs(),
    }))
}

/// `/device`: the page where the user enters the user code, or compares a prefilled one (RFC 8628 §3.3).
pub(crate) async fn verify(state: &State, request: Request<Incoming>) -> ServerResponse {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        let query = Form::query(&parts.uri);
        let user_code = query.get("user_code").ok().flatten();
        return consent_page(QUESTION, Some(user_code.unwrap_or_default()), "");
    }
    let response = Form::read(&parts.headers, body).await.and_then(|form| decide(state, &form));
    response.unwrap_or_else(|_| message_page(StatusCode::BAD_REQUEST, "The form cannot be read."))
}

fn decide(state: &State, form: &Form) -> Result<ServerResponse, OAuthError> {
    let user_code = form.get("user_code")?.unwrap_or_default();
    let (allow, message) = match Decision::of(form)? {
        Decision::Allow => (true, "The device may act for you. You can close this page."),
        Decision::Deny => (false, "The device may not act for you. You can close this page."),
        Decision::Unknown => return Ok(consent_page(QUESTION, Some(user_code), "Name or password is wrong.")),
    };
    if state.devices.decide(user_code, allow) {
        Ok(message_page(StatusCode::OK, message))
    } else {
        Ok(consent_page(QUESTION, Some(user_code), "No device is waiting with this code."))
    }
}
