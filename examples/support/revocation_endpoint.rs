use http::{HeaderMap, Request};
use hyper::body::Incoming;

use super::{
    client_auth::authenticate,
    form::Form,
    response::{OAuthError, ServerResponse},
    server::State,
};

/// `POST /revoke` (RFC 7009). The response is empty, and an unknown token counts as revoked.
pub(crate) async fn response(state: &State, request: Request<Incoming>) -> ServerResponse {
    let (parts, body) = request.into_parts();
    let revoked = Form::read(&parts.headers, body).await.and_then(|form| revoke(state, &parts.headers, &form));
    match revoked {
        Ok(()) => ServerResponse::default(),
        Err(error) => error.response(),
    }
}

fn revoke(state: &State, headers: &HeaderMap, form: &Form) -> Result<(), OAuthError> {
    let client = authenticate(state, headers, form)?;
    state.registry.revoke_token(form.require("token")?, &client);
    Ok(())
}
