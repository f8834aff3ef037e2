//! Requests that carry a proof by the key that the tokens are bound to (RFC 9449 §5, §8, §10.1).

use std::future::Future;

use bytes::Bytes;
use http::{HeaderMap, Request};

use super::endpoint_address::Address;
use super::request_secrets::RequestSecrets;
use super::response::EndpointResponse;
use super::token_endpoint::TokenEndpoint;
use crate::dpop::{DPOP_HEADER, Dpop, DpopNonce, Htu, ProofRequest, ServerRole};
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::form::Form;
use crate::token::{IssuedTypes, Token, TokenRecord};
use crate::transport::Transport;

/// Describes how one request with a proof has ended.
struct ProvenExchange {
    result: Result<EndpointResponse, Error>,
    /// The nonce of the response, unless it is the one that was sent.
    newer_nonce: Option<DpopNonce>,
}

impl TokenEndpoint {
    /// Binds the tokens to a key ([RFC 9449]): each token request has a proof that the key has signed.
    ///
    /// A response with a token that is not bound to the key is [`ErrorKind::Malformed`], unless
    /// [`Dpop::dangerous_allow_bearer`] accepts it. If the server demands a nonce, the request is sent once more, with a new proof and a
    /// new client assertion.
    ///
    /// A [grant](crate::grant::Grant) that uses this endpoint has to return the key from [`Grant::dpop`](crate::grant::Grant::dpop). Else
    /// the layer cannot send the tokens.
    ///
    /// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
    #[must_use]
    pub fn dpop(self, dpop: Dpop) -> Self {
        Self { dpop: Some(dpop), ..self }
    }

    /// Returns the key that the tokens are bound to.
    pub(crate) fn dpop_key(&self) -> Option<&Dpop> {
        self.dpop.as_ref()
    }

    /// Posts a form as [`post`](Self::post) does, with a proof if the endpoint has a key. If the server demands another nonce than the one
    /// that was sent, the request is sent once more.
    ///
    /// `form` is called for each attempt, because a server accepts the assertion of a grant only once.
    pub(crate) async fn post_with_proof<Fut>(
        &self,
        http: &Transport,
        address: &Address,
        form: impl Fn() -> Fut,
    ) -> Result<EndpointResponse, Error>
    where
        Fut: Future<Output = Result<Form, Error>>,
    {
        let Some(dpop) = &self.dpop else { return self.post(http, address, form().await?).await };
        let first = self.attempt(http, address, form().await?, dpop, None).await;
        match first {
            ProvenExchange { result: Err(error), newer_nonce: Some(nonce) } if demands_nonce(&error) => {
                self.attempt(http, address, form().await?, dpop, Some(nonce)).await.result
            }
            ProvenExchange { result, .. } => result,
        }
    }

    /// Sends one request with a proof. It contains `nonce`, or the last one that the server has given.
    async fn attempt(
        &self,
        http: &Transport,
        address: &Address,
        form: Form,
        dpop: &Dpop,
        nonce: Option<DpopNonce>,
    ) -> ProvenExchange {
        let prepare = async {
            let resolved = self.resolve(http, address).await?;
            let (mut request, mut secrets) = self.request(http, &resolved, form).await?;
            let proof = add_proof(dpop, http, &mut request, &mut secrets, nonce).await?;
            Ok((resolved, request, secrets, proof))
        };
        let (resolved, request, secrets, (htu, sent)) = match prepare.await {
            Ok(prepared) => prepared,
            Err(error) => return ProvenExchange { result: Err(error), newer_nonce: None },
        };
        let mut received = None;
        let observe = |headers: &HeaderMap| {
            received = dpop.keep_nonce(ServerRole::AuthorizationServer, &htu, headers);
        };
        let result = self.exchange(http, (address, &resolved), request, &secrets, observe).await;
        // The same nonce again would cause the same error again.
        ProvenExchange { result, newer_nonce: received.filter(|received| Some(received) != sent.as_ref()) }
    }

    /// Returns whether the refresh token of this token is bound to another key than the one of this endpoint (RFC 9449 §5). That of a
    /// confidential client is bound to the client, which may change its key.
    pub(crate) fn is_bound_to_other_key(&self, token: &Token) -> bool {
        let own = self.dpop.as_ref().map(Dpop::thumbprint);
        !self.client.authenticates() && token.record().dpop_jkt.as_deref().is_some_and(|bound| Some(bound) != own)
    }

    pub(super) fn issued_types(&self) -> IssuedTypes {
        match &self.dpop {
            None => IssuedTypes::Bearer,
            Some(dpop) if dpop.allows_bearer() => IssuedTypes::DpopOrBearer,
            Some(_) => IssuedTypes::Dpop,
        }
    }

    /// Returns what a token of this endpoint was requested with.
    pub(super) fn token_record(&self) -> TokenRecord {
        let dpop_jkt = self.dpop.as_ref().map(|dpop| dpop.thumbprint().to_owned());
        TokenRecord { dpop_jkt, ..TokenRecord::default() }
    }
}

/// Adds a proof for a request that is complete, also if `map_request` has changed it. Returns the address and the nonce that
/// the proof contains.
async fn add_proof(
    dpop: &Dpop,
    http: &Transport,
    request: &mut Request<Bytes>,
    secrets: &mut RequestSecrets,
    nonce: Option<DpopNonce>,
) -> Result<(Htu, Option<DpopNonce>), Error> {
    let (role, method) = (ServerRole::AuthorizationServer, request.method());
    let htu = Htu::new(request.uri()).map_err(Error::before_request)?;
    let proving = dpop.prove(ProofRequest { role, method, htu, ath: None, nonce }).map_err(Error::before_request)?;
    let proof = proving.within(http.timeout()).await.map_err(Error::before_request)?;
    if let Ok(text) = proof.value.to_str() {
        secrets.add(text);
    }
    request.headers_mut().insert(DPOP_HEADER, proof.value);
    Ok((proof.htu, proof.nonce))
}

/// Returns whether the server demands a nonce (RFC 9449 §8). Servers send this error with different statuses.
fn demands_nonce(error: &Error) -> bool {
    error.oauth().is_some_and(|oauth| oauth.error() == "use_dpop_nonce")
}
