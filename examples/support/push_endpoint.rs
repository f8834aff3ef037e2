use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use super::{
    authorization_endpoint,
    client_auth::authenticate,
    form::Form,
    pushed_requests::LIFETIME,
    response::{OAuthError, ServerResponse, json_response},
    server::State,
};

/// `POST /par` (RFC 9126 §2): the client authenticates as in a token request, and gets a reference for the user's browser.
pub(crate) async fn response(state: &State, request: Request<Incoming>) -> ServerResponse {
    let (parts, body) = request.into_parts();
    let pushed = Form::read(&parts.headers, body).await.and_then(|form| push(state, &parts.headers, form));
    match pushed {
        Ok(request_uri) => {
            let response = json!({ "request_uri": request_uri, "expires_in": LIFETIME.as_secs() });
            json_response(StatusCode::CREATED, &response)
        }
        Err(error) => error.response(),
    }
}

fn push(state: &State, headers: &HeaderMap, form: Form) -> Result<String, OAuthError> {
    let client = authenticate(state, headers, &form)?;
    if form.require("client_id")? != client || form.get("request_uri")?.is_some() {
        return Err(OAuthError::invalid_request());
    }
    authorization_endpoint::check(state, &form)?;
    Ok(state.pushed_requests.push(client, form))
}
