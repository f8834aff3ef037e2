use std::{collections::HashMap, time::Duration};

use http::{HeaderValue, Request, StatusCode, header::WWW_AUTHENTICATE};
use hyper::body::Incoming;
use serde_json::json;

use super::{
    registry::Registry,
    response::{ServerResponse, json_response},
};

/// What the paths of an API demand beyond a valid token.
#[derive(Clone, Default)]
pub(crate) struct Requirements(HashMap<&'static str, Requirement>);

#[derive(Clone)]
enum Requirement {
    /// RFC 6750 §3.1.
    Scope(&'static str),
    /// RFC 9470 §3.
    Login { acr: &'static str, max_age: Duration },
}

impl Requirements {
    /// Demands a scope for a path.
    pub(crate) fn scope(mut self, path: &'static str, scope: &'static str) -> Self {
        self.0.insert(path, Requirement::Scope(scope));
        self
    }

    /// Demands a login of this strength for a path, not older than `max_age`.
    pub(crate) fn login(mut self, path: &'static str, acr: &'static str, max_age: Duration) -> Self {
        self.0.insert(path, Requirement::Login { acr, max_age });
        self
    }

    /// Returns the challenge for a request whose token is valid and not sufficient.
    pub(crate) fn check(&self, registry: &Registry, request: &Request<Incoming>) -> Option<ServerResponse> {
        let requirement = self.0.get(request.uri().path())?;
        let token = request.headers().get("authorization").and_then(|value| value.to_str().ok()?.split_once(' '));
        let consented = token.and_then(|(_, token)| registry.consent_of(token));
        let (status, challenge) = match requirement {
            Requirement::Scope(scope) => {
                let granted = consented.and_then(|consented| consented.scope).unwrap_or_default();
                if granted.split(' ').any(|granted| granted == *scope) {
                    return None;
                }
                (StatusCode::FORBIDDEN, format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""))
            }
            Requirement::Login { acr, max_age } => {
                let is_met =
                    |at: std::time::Instant, of: Option<String>| at.elapsed() <= *max_age && of.as_deref() == Some(acr);
                if consented.is_some_and(|consented| is_met(consented.at, consented.acr)) {
                    return None;
                }
                let seconds = max_age.as_secs();
                let error = "insufficient_user_authentication";
                (StatusCode::UNAUTHORIZED, format!("Bearer error=\"{error}\", acr_values=\"{acr}\", max_age={seconds}"))
            }
        };
        let mut response = json_response(status, &json!({"token_ok": true}));
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::try_from(challenge).ok()?);
        Some(response)
    }
}
