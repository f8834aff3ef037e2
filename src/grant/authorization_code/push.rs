//! Pushes an authorization request to the server, which returns a reference to it (RFC 9126).

use http::StatusCode;
use serde_json::Value;

use super::AuthorizationCode;
use super::login_server::LoginServer;
use crate::endpoint::{Address, EndpointResponse};
use crate::error::Error;
use crate::form::Form;
use crate::transport::Transport;

impl AuthorizationCode {
    /// Posts the parameters with the client authentication of the token endpoint (§2.1), and returns the `request_uri`.
    /// A second attempt for a DPoP nonce has a request object of its own.
    ///
    /// # Errors
    ///
    /// As a token request, with its status and its `Retry-After`.
    pub(super) async fn push(
        &self,
        http: &Transport,
        server: &LoginServer,
        endpoint: &Address,
        parameters: &Form,
    ) -> Result<String, Error> {
        let form = async || {
            let form = self.sent(http, server, parameters).await?;
            form.check()?;
            Ok(form)
        };
        let response = self.config.endpoint.post_with_proof(http, endpoint, form).await?;
        request_uri(&response).map_err(|error| error.with_status(response.status).with_endpoint(&response.uri))
    }
}

/// Returns the `request_uri` of a response. `expires_in` is not used: the browser is opened at once, and the server rejects a reference that
/// has expired.
fn request_uri(response: &EndpointResponse) -> Result<String, Error> {
    // Some servers respond with 200 (§2.2 requires 201).
    if ![StatusCode::CREATED, StatusCode::OK].contains(&response.status) {
        return Err(Error::malformed("the status of the response to a pushed authorization request is not 201"));
    }
    match response.members.get("request_uri") {
        Some(Value::String(uri)) if !uri.is_empty() => Ok(uri.clone()),
        Some(Value::String(_)) => Err(Error::malformed("`request_uri` of the pushed authorization request is empty")),
        Some(Value::Null) | None => {
            Err(Error::malformed("`request_uri` of the pushed authorization request is missing"))
        }
        Some(_) => Err(Error::malformed("`request_uri` of the pushed authorization request is not text")),
    }
}
