use std::sync::atomic::Ordering;

use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal, json_answer},
    client_auth::authenticate,
    form::Form,
    server::State,
};

/// `POST /token`.
pub(crate) async fn answer(state: &State, request: Request<Incoming>) -> Answer {
    state.token_calls.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(state.settings.latency).await;
    let (parts, body) = request.into_parts();
    let token = match Form::read(&parts.headers, body).await {
        Ok(form) => grant(state, &parts.headers, &form),
        Err(refusal) => Err(refusal),
    };
    match token {
        Ok(token) => json_answer(StatusCode::OK, &token),
        Err(refusal) => refusal.answer(),
    }
}

fn grant(state: &State, headers: &HeaderMap, form: &Form) -> Result<Value, Refusal> {
    let client = authenticate(&state.settings, headers, form)?;
    match form.require("grant_type")? {
        "client_credentials" => {}
        "refresh_token" if state.settings.refresh_tokens => {
            let token = form.require("refresh_token")?;
            if !state.registry.spend_refresh(token, &client) {
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_grant"));
            }
        }
        _ => {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "unsupported_grant_type"));
        }
    }
    issue(state, &client, form)
}

fn issue(state: &State, client: &str, form: &Form) -> Result<Value, Refusal> {
    let lifetime = state.settings.lifetime;
    let mut token = json!({
        "access_token": state.registry.issue(lifetime),
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
    });
    if let Some(scope) = form.get("scope")? {
        token["scope"] = scope.into();
    }
    if state.settings.refresh_tokens {
        token["refresh_token"] = state.registry.issue_refresh(client).into();
    }
    Ok(token)
}
