//! The refresh token first, the grant itself where that is refused (RFC 6749 §6).

use std::future::Future;

use super::parameters::Parameters;
use crate::endpoint::TokenEndpoint;
use crate::error::{Error, ErrorKind};
use crate::form::Form;
use crate::token::Token;
use crate::transport::Transport;

/// Refreshes `previous` if it has a refresh token, and otherwise, or when the server refuses it, does what needs no
/// person: `grant_itself`.
///
/// An outage is no refusal: then the refresh token is kept for the next try.
pub(super) async fn or_else<Fut>(
    endpoint: &TokenEndpoint,
    http: &Transport,
    parameters: &Parameters,
    previous: Option<&Token>,
    grant_itself: impl FnOnce() -> Fut,
) -> Result<Token, Error>
where
    Fut: Future<Output = Result<Token, Error>>,
{
    let Some((previous, refresh_token)) = previous.and_then(|token| Some((token, token.refresh_token()?))) else {
        return grant_itself().await;
    };
    let form = parameters.without_scope(Form::new("refresh_token").param("refresh_token", refresh_token));
    match endpoint.token(http, form).await {
        Ok(token) => Ok(token.keeping(previous)),
        Err(refused) if refused.kind() == ErrorKind::InvalidGrant => {
            grant_itself().await.map_err(Error::with_spent_refresh_token)
        }
        // Real servers refuse a dead refresh token as `invalid_request`, or with an empty 400 or 403.
        Err(refused) if refused.kind() == ErrorKind::RequestRejected => grant_itself().await,
        Err(error) => Err(error),
    }
}
