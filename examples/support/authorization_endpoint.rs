use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use url::{Host, Url};

use super::{
    answer::{Answer, Refusal},
    codes::Consent,
    form::Form,
    pages::{Decision, consent_page, message_page, see_other},
    pkce::Challenge,
    server::State,
};

/// `GET /authorize` shows the question, `POST /authorize` takes the answer (RFC 6749 §4.1). The parameters stand in the
/// query both times.
pub(crate) async fn answer(state: &State, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let query = Form::query(&parts.uri);
    // Before these two are known to be good, nobody is sent anywhere (§4.1.2.1).
    let Some((client, redirect)) = whom(state, &query) else {
        return message_page(StatusCode::BAD_REQUEST, "The application that sent you here is not known.");
    };
    let consent = match consent(&query, &client) {
        Ok(consent) => consent,
        Err(refusal) => return send_back(state, &query, redirect, ("error", refusal.error())),
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
        Err(refusal) => Err(refusal),
    };
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

/// The client, and the address to send the person back to, if it is the client's.
fn whom(state: &State, query: &Form) -> Option<(String, Url)> {
    let client = query.require("client_id").ok().filter(|id| state.settings.knows(id))?;
    let uri = query.require("redirect_uri").ok()?;
    let redirect = Url::parse(uri).ok()?;
    let allowed = is_loopback(&redirect) || state.settings.has_registered(client, uri);
    (allowed && redirect.fragment().is_none()).then(|| (client.to_owned(), redirect))
}

/// A program on the person's own machine takes whichever port is free (RFC 8252 §7.3).
fn is_loopback(redirect: &Url) -> bool {
    let local = match redirect.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    local && redirect.scheme() == "http"
}

fn consent(query: &Form, client: &str) -> Result<Consent, Refusal> {
    if query.require("response_type")? != "code" {
        return Err(Refusal::bad_request("unsupported_response_type"));
    }
    query.get("state")?;
    Ok(Consent {
        client: client.to_owned(),
        redirect_uri: query.require("redirect_uri")?.to_owned(),
        challenge: Challenge::of(query)?.ok_or_else(Refusal::invalid_request)?,
        scope: query.scope()?.map(str::to_owned),
    })
}

/// With `state`, by which the client knows its own request again, and `iss`, by which it knows us (RFC 9207).
fn send_back(state: &State, query: &Form, mut redirect: Url, outcome: (&str, &str)) -> Answer {
    let mut pairs = redirect.query_pairs_mut();
    pairs.append_pair(outcome.0, outcome.1).append_pair("iss", &state.issuer);
    if let Ok(Some(state)) = query.get("state") {
        pairs.append_pair("state", state);
    }
    drop(pairs);
    see_other(redirect.as_str())
}
