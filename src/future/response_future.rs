//! Implements the response future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::attachment::Attached;
use super::deferred::{Deferred, PendingToken};
use super::protocol::for_protocol;
use super::sent_proof::SentProof;
use super::sent_token::{NO_TOKEN, SentToken, report_rejection};
use crate::error::{BoxError, Error};
use crate::rejection::maybe_rejected;

pin_project! {
    /// The response future that an [`OAuth2`](crate::OAuth2) service returns.
    ///
    /// A response that rejects the token has a [`TokenRejected`](crate::retry::TokenRejected) in its extensions. It is not changed in any
    /// other way.
    ///
    /// # Errors
    ///
    /// The error of the inner service; or an [`Error`](crate::Error) in the box if the request was not sent, because no token could be
    /// obtained or the token must not be sent to this address.
    ///
    /// # Cancel safety
    ///
    /// Dropping it cancels the request, like dropping the future of the inner service. A token request that it waits for continues.
    pub struct ResponseFuture<F, S, B> {
        #[pin]
        state: ResponseState<F, S, B>,
    }
}

pin_project! {
    #[project = ResponseStateProj]
    enum ResponseState<F, S, B> {
        /// The request was sent with the token of this generation, or with none ([`NO_TOKEN`]). Only a rejection is reported.
        Sent { #[pin] response: F, generation: u64 },
        /// The request was sent with a token. `sent` contains whether the cell observes every response.
        Observed { #[pin] response: F, sent: SentToken },
        /// The request was sent with a bound token and its proof. Boxed, so that the future does not grow.
        Proven { #[pin] response: F, proof: Box<SentProof> },
        /// The request is not sent.
        Failed { error: Option<Error> },
        /// The request waits for a token or for the inner service. Boxed, because it is large and rare.
        Deferred { deferred: Box<Deferred<S, B>> },
    }
}

impl<F, S, B> ResponseFuture<F, S, B> {
    /// Creates the future of a request with the token of this generation. Only a rejection is reported.
    #[inline]
    pub(crate) fn sent(response: F, generation: u64) -> Self {
        Self { state: ResponseState::Sent { response, generation } }
    }

    /// Creates the future of a request with a token, whose cell may observe every response.
    pub(crate) fn attached(response: F, attached: Attached) -> Self {
        Self { state: ResponseState::attached(response, attached) }
    }

    /// Creates the future of a request without a token.
    pub(crate) fn without_token(response: F) -> Self {
        Self { state: ResponseState::Sent { response, generation: NO_TOKEN } }
    }

    /// Creates a future that returns the error.
    pub(crate) fn failed(error: Error, request: &Request<B>) -> Self {
        Self { state: ResponseState::Failed { error: Some(for_protocol(error, request)) } }
    }

    /// Creates a future that waits for a token, if the request needs one, and for `service`, and then sends the request.
    pub(crate) fn deferred(service: S, request: Request<B>, pending: Option<PendingToken>) -> Self {
        let deferred = Box::new(Deferred { pending, service, request: Some(request) });
        Self { state: ResponseState::Deferred { deferred } }
    }
}

impl<F, S, B> ResponseState<F, S, B> {
    fn attached(response: F, attached: Attached) -> Self {
        match attached {
            Attached::Token(sent) => Self::Observed { response, sent },
            Attached::Proof(proof) => Self::Proven { response, proof },
        }
    }
}

impl<F, S, B, R> Future for ResponseFuture<F, S, B>
where
    S: Service<Request<B>, Response = Response<R>, Future = F> + Clone,
    S::Error: Into<BoxError>,
    F: Future<Output = Result<Response<R>, S::Error>>,
{
    type Output = Result<Response<R>, BoxError>;

    // Always inlined, which saves a move of the response. All other cases are in functions that are not inlined.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.as_mut().project().state.project() {
            ResponseStateProj::Sent { response, generation } => match response.poll(cx) {
                Poll::Ready(Ok(response)) if maybe_rejected(&response) => {
                    Poll::Ready(Ok(report_rejection(*generation, response)))
                }
                Poll::Ready(Ok(response)) => Poll::Ready(Ok(response)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
                Poll::Pending => Poll::Pending,
            },
            _ => self.poll_slow(cx),
        }
    }
}

impl<F, S, B, R> ResponseFuture<F, S, B>
where
    S: Service<Request<B>, Response = Response<R>, Future = F> + Clone,
    S::Error: Into<BoxError>,
    F: Future<Output = Result<Response<R>, S::Error>>,
{
    #[inline(never)]
    fn poll_slow(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Response<R>, BoxError>> {
        let mut state = self.as_mut().project().state;
        loop {
            match state.as_mut().project() {
                ResponseStateProj::Sent { response, generation } => {
                    let response = ready!(response.poll(cx)).map_err(Into::into)?;
                    let is_reported = maybe_rejected(&response);
                    return Poll::Ready(Ok(if is_reported {
                        report_rejection(*generation, response)
                    } else {
                        response
                    }));
                }
                ResponseStateProj::Observed { response, sent } => {
                    let response = ready!(response.poll(cx)).map_err(Into::into)?;
                    let is_reported = sent.is_observed() || maybe_rejected(&response);
                    return Poll::Ready(Ok(if is_reported { sent.report(response) } else { response }));
                }
                ResponseStateProj::Proven { response, proof } => {
                    return Poll::Ready(Ok(proof.report(ready!(response.poll(cx)).map_err(Into::into)?)));
                }
                ResponseStateProj::Failed { error } => {
                    // Polled after it has completed.
                    return error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error.into())));
                }
                ResponseStateProj::Deferred { deferred } => {
                    let Some((response, attached)) = ready!(deferred.poll_sent(cx))? else { return Poll::Pending };
                    state.set(match attached {
                        Some(attached) => ResponseState::attached(response, attached),
                        None => ResponseState::Sent { response, generation: NO_TOKEN },
                    });
                }
            }
        }
    }
}

impl<F, S, B> fmt::Debug for ResponseFuture<F, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
