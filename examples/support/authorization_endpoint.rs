use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use url::{Host, Url};

use super::{
    codes::Consent,
    form::Form,
    pages::{Decision, consent_page, message_page, see_other},
    pkce::Challenge,
    response::{OAuthError, ServerResponse},
    server::State,
};

/// `GET /authorize` shows the consent page, `POST /authorize` accepts the decision (RFC 6749 §4.1). The parameters are in
/// the query of both, or the client has pushed them.
pub(crate) async fn response(state: &State, request: Request<Incoming>) -> ServerResponse {
    let (parts, body) = request.into_parts();
    let query = Form::query(&parts.uri);
    let pushed = query.get("request_uri").ok().flatten().map(str::to_owned);
    let parameters = match &pushed {
        Some(request_uri) => {
            query.get("client_id").ok().flatten().and_then(|client| state.pushed_requests.find(request_uri, client))
        }
        None => Some(query),
    };
    let Some(query) = parameters else {
        return message_page(StatusCode::BAD_REQUEST, "This login has expired. Start it again in the application.");
    };
    // No redirect before both are valid (RFC 6749 §4.1.2.1).
    let Some((client, redirect)) = client_and_redirect(state, &query) else {
        return message_page(StatusCode::BAD_REQUEST, "The application that sent you here is not known.");
    };
    let consent = match consent(&query, &client) {
        Ok(_) if pushed.is_none() && state.settings.requires_pushed_requests => {
            return send_back(state, &query, redirect, ("error", "invalid_request"));
        }
        Ok(consent) => consent,
        Err(error) => return send_back(state, &query, redirect, ("error", error.error())),
    };
    let question = match &consent.scope {
        Some(scope) => format!("May “{client}” act for you? It asks for: {scope}."),
        None => format!("May “{client}” act for you?"),
    };
    if parts.method != Method::POST {
        return consent_page(&question, None, "");
    }
    let decision = match Form::read(&parts.headers, body).await {
        Ok(form) => Decision::of(&form),
        Err(error) => Err(error),
    };
    if let (Ok(Decision::Allow | Decision::Deny), Some(request_uri)) = (&decision, pushed) {
        state.pushed_requests.remove(&request_uri);
    }
    match decision {
        Ok(Decision::Allow) => {
            let code = state.codes.issue(consent);
            send_back(state, &query, redirect, ("code", &code))
        }
        Ok(Decision::Deny) => send_back(state, &query, redirect, ("error", "access_denied")),
        Ok(Decision::Unknown) => consent_page(&question, None, "Name or password is wrong."),
        Err(_) => message_page(StatusCode::BAD_REQUEST, "The form cannot be read."),
    }
}

/// Checks a request before it is accepted for a later login (RFC 9126 §2.1).
pub(crate) fn check(state: &State, request: &Form) -> Result<(), OAuthError> {
    let (client, _) = client_and_redirect(state, request).ok_or_else(OAuthError::invalid_request)?;
    consent(request, &client).map(drop)
}

/// Returns the client and the redirect URI if the URI belongs to the client.
fn client_and_redirect(state: &State, query: &Form) -> Option<(String, Url)> {
    let client = query.require("client_id").ok().filter(|id| state.knows(id))?;
    let uri = query.require("redirect_uri").ok()?;
    let redirect = Url::parse(uri).ok()?;
    let allowed = is_loopback(&redirect) || state.settings.has_registered(client, uri);
    (allowed && redirect.fragment().is_none()).then(|| (client.to_owned(), redirect))
}

/// Native apps use any free port of the loopback interface (RFC 8252 §7.3).
fn is_loopback(redirect: &Url) -> bool {
    let local = match redirect.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    local && redirect.scheme() == "http"
}

fn consent(query: &Form, client: &str) -> Result<Consent, OAuthError> {
    if query.require("response_type")? != "code" {
        return Err(OAuthError::bad_request("unsupported_response_type"));
    }
    query.get("state")?;
    // Each person has a second factor here, and none has a security key (RFC 9470 §5).
    let acr = query.get("acr_values")?.map(|values| values.split(' ').find(|value| *value == "mfa"));
    if acr == Some(None) {
        return Err(OAuthError::bad_request("unmet_authentication_requirements"));
    }
    Ok(Consent {
        client: client.to_owned(),
        redirect_uri: query.require("redirect_uri")?.to_owned(),
        challenge: Challenge::of(query)?.ok_or_else(OAuthError::invalid_request)?,
        scope: query.scope()?.map(str::to_owned),
        acr: acr.flatten().map(str::to_owned),
    })
}

/// Redirects with `state`, which identifies the client's request, and `iss`, which identifies the server (RFC 9207).
fn send_back(state: &State, query: &Form, mut redirect: Url, outcome: (&str, &str)) -> ServerResponse {
    let mut pairs = redirect.query_pairs_mut();
    pairs.append_pair(outcome.0, outcome.1).append_pair("iss", &state.issuer);
    if let Ok(Some(state)) = query.get("state") {
        pairs.append_pair("state", state);
    }
    drop(pairs);
    see_other(redirect.as_str())
}
