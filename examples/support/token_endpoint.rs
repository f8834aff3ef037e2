use std::{sync::atomic::Ordering, time::Duration};

use http::{HeaderMap, Request, StatusCode, request::Parts};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{
    client_auth::authenticate,
    codes::CodeExchange,
    form::Form,
    pages::PERSON,
    registry::Login,
    response::{OAuthError, ServerResponse, json_response},
    server::State,
};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// `POST /token`.
pub(crate) async fn response(state: &State, request: Request<Incoming>) -> ServerResponse {
    state.token_requests.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(state.settings.latency).await;
    let (parts, body) = request.into_parts();
    let token = match Form::read(&parts.headers, body).await {
        Ok(form) => {
            tokio::time::sleep(user_latency(state, &form)).await;
            token(state, &parts, &form)
        }
        Err(error) => Err(error),
    };
    let mut response = match token {
        Ok(token) => json_response(StatusCode::OK, &token),
        Err(error) => error.response(),
    };
    if let Some(proofs) = &state.proofs {
        proofs.add_nonce(&mut response);
    }
    response
}

fn user_latency(state: &State, form: &Form) -> Duration {
    let refresh_token = form.get("refresh_token").ok().flatten();
    let user = refresh_token.and_then(|token| state.registry.user_of_refresh_token(token));
    user.and_then(|user| state.settings.user_latencies.get(&user).copied()).unwrap_or_default()
}

/// With DPoP, the token is bound to the key of the proof, and so is the refresh token of a public client (RFC 9449 §5).
fn token(state: &State, parts: &Parts, form: &Form) -> Result<Value, OAuthError> {
    let Some(proofs) = &state.proofs else { return grant(state, &parts.headers, form) };
    let thumbprint = proofs
        .verify(&parts.method, parts.uri.path(), &parts.headers, None)
        .map_err(|error| OAuthError::bad_request(error.code()))?;
    let registry = &state.registry;
    let bound = form.get("refresh_token")?.and_then(|token| registry.thumbprint_of(token));
    if bound.is_some_and(|bound| bound != thumbprint) {
        return Err(OAuthError::invalid_grant());
    }
    let mut token = grant(state, &parts.headers, form)?;
    token["token_type"] = "DPoP".into();
    let is_public = form.get("client_id")?.is_some_and(|id| state.is_public(id));
    let names = if is_public { &["access_token", "refresh_token"][..] } else { &["access_token"] };
    for token in names.iter().filter_map(|name| token[*name].as_str()) {
        registry.bind(token, &thumbprint);
    }
    Ok(token)
}

fn grant(state: &State, headers: &HeaderMap, form: &Form) -> Result<Value, OAuthError> {
    let client = authenticate(state, headers, form)?;
    match form.require("grant_type")? {
        "client_credentials" => client_credentials(state, &client, form),
        "password" => password(state, &client, form),
        "authorization_code" => authorization_code(state, &client, form),
        "urn:ietf:params:oauth:grant-type:device_code" => device_code(state, &client, form),
        "urn:ietf:params:oauth:grant-type:token-exchange" => token_exchange(state, &client, form),
        "refresh_token" => refresh_token(state, &client, form),
        _ => Err(OAuthError::bad_request("unsupported_grant_type")),
    }
}

/// RFC 6749 §4.4.
fn client_credentials(state: &State, client: &str, form: &Form) -> Result<Value, OAuthError> {
    confidential(state, client)?;
    Ok(issue(state, client, state.registry.start_login(), form.scope()?))
}

/// RFC 6749 §4.3.
fn password(state: &State, client: &str, form: &Form) -> Result<Value, OAuthError> {
    form.require("password")?;
    if form.require("username")? != PERSON {
        return Err(OAuthError::invalid_grant());
    }
    Ok(issue(state, client, state.registry.start_login(), form.scope()?))
}

/// RFC 6749 §4.1.3.
fn authorization_code(state: &State, client: &str, form: &Form) -> Result<Value, OAuthError> {
    let exchange = CodeExchange {
        client,
        code: form.require("code")?,
        redirect_uri: form.require("redirect_uri")?,
        verifier: form.require("code_verifier")?,
    };
    let (login, scope) = state.codes.redeem(&exchange, &state.registry).ok_or_else(OAuthError::invalid_grant)?;
    Ok(issue(state, client, login, scope.as_deref()))
}

/// RFC 8628 §3.4.
fn device_code(state: &State, client: &str, form: &Form) -> Result<Value, OAuthError> {
    let scope = state.devices.poll(form.require("device_code")?, client, form.get("code_verifier")?)?;
    Ok(issue(state, client, state.registry.start_login(), scope.as_deref()))
}

/// RFC 8693. The new token belongs to the login of the subject token, and is revoked with it.
fn token_exchange(state: &State, client: &str, form: &Form) -> Result<Value, OAuthError> {
    confidential(state, client)?;
    if form.require("subject_token_type")? != ACCESS_TOKEN {
        return Err(OAuthError::invalid_request());
    }
    let login = state.registry.login_of(form.require("subject_token")?).ok_or_else(OAuthError::invalid_request)?;
    let mut token = bearer(state, login, form.scope()?);
    if let (Some(audience), Some(token)) = (form.get("audience")?, token["access_token"].as_str()) {
        state.registry.set_audience(token, audience);
    }
    token["issued_token_type"] = ACCESS_TOKEN.into();
    Ok(token)
}

/// RFC 6749 §6. The login stays the same, so that reuse of a refresh token revokes all of its tokens.
fn refresh_token(state: &State, client: &str, form: &Form) -> Result<Value, OAuthError> {
    let login = state.registry.use_refresh_token(form.require("refresh_token")?, client);
    Ok(issue(state, client, login.ok_or_else(OAuthError::invalid_grant)?, form.scope()?))
}

/// Rejects public clients: some grants require client authentication.
fn confidential(state: &State, client: &str) -> Result<(), OAuthError> {
    if state.is_public(client) { Err(OAuthError::bad_request("unauthorized_client")) } else { Ok(()) }
}

fn issue(state: &State, client: &str, login: Login, scope: Option<&str>) -> Value {
    let mut token = bearer(state, login, scope);
    if state.settings.refresh_tokens {
        token["refresh_token"] = state.registry.issue_refresh_token(login, client).into();
    }
    token
}

fn bearer(state: &State, login: Login, scope: Option<&str>) -> Value {
    let lifetime = state.settings.lifetime;
    let access_token = state.registry.issue(login, lifetime);
    if let Some(scope) = scope {
        state.registry.set_scope(&access_token, scope);
    }
    let mut token = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
    });
    if let Some(scope) = scope {
        token["scope"] = scope.into();
    }
    token
}
