//! Sends forms to an endpoint, and reads the token from the response.

use std::future::ready;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use serde_json::Value;

use super::endpoint_address::{Address, ResolvedAddress};
use super::request_secrets::RequestSecrets;
use super::response::{self, EndpointResponse};
use super::token_endpoint::TokenEndpoint;
use super::{response_body, retry_after};
use crate::clock;
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::form::Form;
use crate::secret::{CharacterSet, Secret};
use crate::token::{self, Token};
use crate::transport::Transport;

impl TokenEndpoint {
    /// Sends the form with the client's authentication, and returns the token from the response.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Configuration`] for a credential with a control character. Nothing is sent then.
    /// - The errors of [`Issuer::metadata`](super::Issuer::metadata), for a discovered endpoint.
    /// - [`ErrorKind::Proof`] if a [key](Self::dpop) cannot sign. The errors of a signer pass unchanged. Nothing is sent then.
    /// - The errors of [`Transport::send`].
    /// - [`ErrorKind::Redirected`] for a 3xx.
    /// - The error of the server, with its [`status`](Error::status), [`oauth`](Error::oauth) and [`retry_after`](Error::retry_after).
    /// - [`ErrorKind::Malformed`] for a response that is neither a token nor an error.
    ///
    /// [`ErrorKind::InvalidGrant`] for a form of grant type `refresh_token` means that the refresh token is permanently invalid, unless
    /// [`refresh_token_dead_when`](Self::refresh_token_dead_when) decides otherwise. A grant only has to return this error: the layer and
    /// a store drop the refresh token, if it is still the one that was sent. The same applies to [`ErrorKind::Malformed`]: if the response
    /// to a refresh has a new refresh token but no usable access token, the layer keeps the new refresh token.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request. A code or a rotating refresh token in the form may have been used up by then.
    pub async fn token(&self, http: &Transport, form: Form) -> Result<Token, Error> {
        form.check()?;
        let is_refresh = form.pairs().any(|pair| pair == ("grant_type", "refresh_token"));
        let sent =
            form.pairs().find(|(name, _)| is_refresh && *name == "refresh_token").map(|(_, sent)| Secret::new(sent));
        let response = self.post_with_proof(http, &self.address, || ready(Ok(form.clone()))).await;
        let response = response.map_err(|error| if is_refresh { self.dead_when.apply(error) } else { error })?;
        // A new refresh token that cannot be sent does not replace the old one.
        let can_be_sent = |new: &&str| !new.is_empty() && CharacterSet::Unicode.violation(new).is_none();
        let rotated = response.members.get("refresh_token").and_then(Value::as_str).filter(can_be_sent);
        let rotated = sent.zip(rotated.map(Secret::new));
        let token = self.token_from(response);
        if let (Err(_), Some((sent, new))) = (&token, rotated) {
            http.record_rotation(Some(sent), new);
        }
        token
    }

    /// Returns the token from a response that has just arrived.
    pub(crate) fn token_from(&self, mut response: EndpointResponse) -> Result<Token, Error> {
        if self.ignore_zero_lifetime {
            token::ignore_zero_lifetime(&mut response.members);
        }
        token::from_response(response.members, clock::now(), &self.bearer_types, self.issued_types())
            .map(|token| token.with_record(self.token_record()))
            .map_err(|error| error.with_status(response.status).with_endpoint(&response.uri))
    }

    /// Posts a form to an endpoint of the same server, with the client's authentication, and returns the members of the response.
    pub(crate) async fn post(
        &self,
        http: &Transport,
        address: &Address,
        form: Form,
    ) -> Result<EndpointResponse, Error> {
        let resolved = self.resolve(http, address).await?;
        let (request, secrets) = self.request(http, &resolved, form).await?;
        self.exchange(http, (address, &resolved), request, &secrets, |_| ()).await
    }

    /// Sends a request to an address, and returns the members of the response. `observe` is called with the headers of any response.
    pub(super) async fn exchange(
        &self,
        http: &Transport,
        (address, resolved): (&Address, &ResolvedAddress),
        request: Request<Bytes>,
        secrets: &RequestSecrets,
        observe: impl FnOnce(&HeaderMap),
    ) -> Result<EndpointResponse, Error> {
        let authenticates = request.headers().contains_key(AUTHORIZATION) || self.client.authenticates();
        let uri = request.uri().clone();
        let response = http.receive(request).await?;
        observe(response.headers());
        let secrets = secrets.texts();
        response_body::decoded(response, http.max_response_size(), clock::now(), &secrets)
            .and_then(|response| self.map_response_with_retry_after(response))
            .and_then(|response| response::parse(&response, &uri, clock::now(), &secrets, authenticates))
            .map_err(|error| self.explain(error.with_endpoint(&uri), address, resolved.metadata.as_deref()))
    }

    /// Applies `map_response` to a response. If the function panics, the error keeps the delay that the server requested.
    fn map_response_with_retry_after(&self, response: Response<Bytes>) -> Result<Response<Bytes>, Error> {
        let retry_after = retry_after::parse(response.headers(), clock::now());
        self.hooks.map_response(response).map_err(|error| error.with_retry_after_header(retry_after))
    }
}
