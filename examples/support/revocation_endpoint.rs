use http::{HeaderMap, Request};
use hyper::body::Incoming;

use super::{
    answer::{Answer, Refusal},
    client_auth::authenticate,
    form::Form,
    server::State,
};

/// `POST /revoke` (RFC 7009). The body says nothing: a token that is not known counts as revoked.
pub(crate) async fn answer(state: &State, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let revoked = Form::read(&parts.headers, body).await.and_then(|form| revoke(state, &parts.headers, &form));
    match revoked {
        Ok(()) => Answer::default(),
        Err(refusal) => refusal.answer(),
    }
}

fn revoke(state: &State, headers: &HeaderMap, form: &Form) -> Result<(), Refusal> {
    let client = authenticate(&state.settings, headers, form)?;
    state.registry.revoke_token(form.require("token")?, &client);
    Ok(())
}
