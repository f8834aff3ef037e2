use std::sync::atomic::Ordering;

use http::StatusCode;
use serde_json::json;

use super::{
    registration_endpoint,
    response::{ServerResponse, json_response},
    server::State,
};

/// The address of RFC 8414 §3.1 for an issuer without a path.
pub(crate) const PATH: &str = "/.well-known/oauth-authorization-server";

/// The metadata of the server (RFC 8414 §2).
pub(crate) fn response(state: &State) -> ServerResponse {
    state.metadata_requests.fetch_add(1, Ordering::SeqCst);
    let issuer = &state.issuer;
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "device_authorization_endpoint": format!("{issuer}/device_authorization"),
        "registration_endpoint": format!("{issuer}{}", registration_endpoint::PATH),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "pushed_authorization_request_endpoint": format!("{issuer}/par"),
        "require_pushed_authorization_requests": state.settings.requires_pushed_requests,
        "authorization_response_iss_parameter_supported": true,
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
    });
    if state.proofs.is_some() {
        metadata["dpop_signing_alg_values_supported"] = json!(["ES256"]);
    }
    json_response(StatusCode::OK, &metadata)
}
