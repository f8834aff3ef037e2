//! The extensions that the layer and outer retry layers exchange: one in responses, one in requests.

use http::{Request, Response};

use crate::dpop::ServerNonce;

/// Marks a response that rejects the token, or demands a token, another token, or a nonce in the proof that was sent with it.
///
/// The layer inserts it into the extensions of the response, and changes nothing else. A response that rejects the proof for another reason
/// (`invalid_dpop_proof`) is not marked, because a retry would not help: see [DPoP](crate::docs::dpop#after-a-401).
///
/// [`RetryUnauthorized`](crate::retry::RetryUnauthorized) acts on it. A retry layer of your own can do the same:
///
/// ```
/// use std::future::{Ready, ready};
/// use http::{Request, Response};
/// use tower_oauth2::retry::TokenRejected;
///
/// #[derive(Clone)]
/// struct RetryTwice(u8);
///
/// impl<B: Clone, R, E> tower::retry::Policy<Request<B>, Response<R>, E> for RetryTwice {
///     type Future = Ready<()>;
///
///     fn retry(&mut self, request: &mut Request<B>, result: &mut Result<Response<R>, E>) -> Option<Ready<()>> {
///         let rejected: &TokenRejected = result.as_ref().ok()?.extensions().get()?;
///         self.0 = self.0.checked_sub(1)?;
///         rejected.is_retryable().then(|| {
///             rejected.prepare_retry(request);
///             ready(())
///         })
///     }
///
///     fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
///         Some(request.clone())
///     }
/// }
/// # let _ = RetryTwice(2);
/// ```
#[derive(Clone, Debug)]
pub struct TokenRejected(Rejection);

#[derive(Clone, Debug)]
enum Rejection {
    Token { generation: u64, is_retryable: bool },
    Nonce(ServerNonce),
    Challenge { generation: u64 },
}

/// Why an API rejected a request. [`TokenRejected::reason`] returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectionReason {
    /// The token itself is not accepted: it is expired, revoked, or not meant for this API. The layer refreshes it, and a newer token may
    /// help.
    Token,
    /// The API demands its nonce in the DPoP proof, and has given it with the response ([RFC 9449 §9]). The token stays in use. The same
    /// request with that nonce may help.
    ///
    /// [RFC 9449 §9]: https://www.rfc-editor.org/rfc/rfc9449#section-9
    Nonce,
    /// The token is valid, and not sufficient: the API demands another scope, another login or other claims. A token that has them is being
    /// obtained: see [`OAuth2Layer::step_up`](crate::OAuth2Layer::step_up). Or the request was sent without a token, and the API demands one:
    /// see [`OAuth2Layer::on_challenge`](crate::OAuth2Layer::on_challenge).
    Challenge,
}

/// Makes the layer wait for a token newer than the one of this generation, before it sends the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewerThan(pub(crate) u64);

/// The nonce of the response that demanded it. Where a nonce is good for one request only, another request may have used the last one.
#[derive(Clone, Debug)]
pub(crate) struct RetryNonce(pub(crate) ServerNonce);

/// Marks a request that is repeated because of a challenge. If it is challenged again, the refresh for it was fruitless.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RepeatedForChallenge;

impl TokenRejected {
    /// Creates the mark for the token of `generation`. It is retryable if a newer token exists or a refresh may obtain one now.
    pub(crate) fn token(generation: u64, is_retryable: bool) -> Self {
        Self(Rejection::Token { generation, is_retryable })
    }

    /// Creates the mark for a response that demands this nonce.
    pub(crate) fn nonce(nonce: ServerNonce) -> Self {
        Self(Rejection::Nonce(nonce))
    }

    /// Creates the mark for a challenge to the token of `generation`, or to a request without one, for which a refresh runs.
    pub(crate) fn challenge(generation: u64) -> Self {
        Self(Rejection::Challenge { generation })
    }

    /// Returns the mark of a response if a retry of its request may succeed.
    pub(crate) fn retryable<R>(response: &Response<R>) -> Option<&Self> {
        response.extensions().get::<Self>().filter(|rejected| rejected.is_retryable())
    }

    /// Returns why the request was rejected.
    pub fn reason(&self) -> RejectionReason {
        match self.0 {
            Rejection::Token { .. } => RejectionReason::Token,
            Rejection::Nonce(_) => RejectionReason::Nonce,
            Rejection::Challenge { .. } => RejectionReason::Challenge,
        }
    }

    /// Returns whether a retry may succeed: a newer token exists or is being obtained, or the response contains the nonce that it demands.
    ///
    /// It is `false` if the API rejects each new token, and the layer waits for the back-off before the next refresh. A retry would
    /// then send the rejected token again.
    pub fn is_retryable(&self) -> bool {
        match self.0 {
            Rejection::Token { is_retryable, .. } => is_retryable,
            Rejection::Nonce(_) | Rejection::Challenge { .. } => true,
        }
    }

    /// Prepares a copy of the rejected request for a retry through the same layer: the request then waits for a token that is
    /// newer than the rejected one, or its proof contains the nonce of this response.
    ///
    /// Limit the number of retries for each [`reason`](Self::reason): an API can demand another nonce each time. A nonce has an effect only on
    /// a request to the origin that sent it.
    pub fn prepare_retry<B>(&self, request: &mut Request<B>) {
        let extensions = request.extensions_mut();
        match &self.0 {
            Rejection::Token { generation, .. } => {
                extensions.insert(NewerThan(*generation));
                // The wait for a token can be long. Then the last nonce of the API is the better one.
                extensions.remove::<RetryNonce>();
            }
            Rejection::Nonce(nonce) => {
                extensions.insert(RetryNonce(nonce.clone()));
            }
            Rejection::Challenge { generation } => {
                extensions.insert(NewerThan(*generation));
                extensions.insert(RepeatedForChallenge);
                extensions.remove::<RetryNonce>();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::dpop::{DpopNonce, Htu};

    #[test]
    fn a_prepared_request_requires_a_newer_token() {
        let mut request = Request::new(());
        request.extensions_mut().insert("extension");
        for generation in [7, 8] {
            TokenRejected::token(generation, true).prepare_retry(&mut request);
            assert_eq!(request.extensions().get(), Some(&NewerThan(generation)));
        }
        assert_eq!(request.extensions().get(), Some(&"extension"));
    }

    /// Whatever comes first, the request waits for a newer token. After that wait, the last nonce of the API is the better one.
    #[test]
    fn a_prepared_request_keeps_what_it_requires() {
        let nonce = HeaderMap::from_iter([(HeaderName::from_static("dpop-nonce"), HeaderValue::from_static("n1"))]);
        let htu = Htu::new(&"https://api.example.com/".parse().unwrap()).unwrap();
        let demanded = TokenRejected::nonce(ServerNonce::new(&htu, DpopNonce::from_headers(&nonce).unwrap()));
        let rejected = TokenRejected::token(7, true);
        for (marks, has_newer_than, has_nonce) in [
            (&[&demanded][..], false, true),
            (&[&rejected, &demanded], true, true),
            (&[&demanded, &rejected], true, false),
        ] {
            let mut request = Request::new(());
            for mark in marks {
                mark.prepare_retry(&mut request);
            }
            let extensions = request.extensions();
            assert_eq!(extensions.get::<NewerThan>().is_some(), has_newer_than, "{marks:?}");
            assert_eq!(extensions.get::<RetryNonce>().is_some(), has_nonce, "{marks:?}");
        }
    }
}
