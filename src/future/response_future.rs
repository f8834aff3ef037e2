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
use super::sent_token::{NO_TOKEN, SentToken, report_rejection};
use super::slow_request::{SlowOutcome, SlowRequest};
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
        /// The request is not sent.
        Failed { error: Option<Error> },
        /// The request waits, or was sent with a proof. Boxed, because it is large, and rare with Bearer tokens.
        Slow { slow: Pin<Box<SlowRequest<F, S, B>>> },
    }
}

impl<F, S, B> ResponseFuture<F, S, B> {
    /// Creates the future of a request with the token of this generation. Only a rejection is reported.
    #[inline]
    pub(crate) fn sent(response: F, generation: u64) -> Self {
        Self { state: ResponseState::Sent { response, generation } }
    }

    /// Creates the future of a request with a token, whose cell may observe every response, or without one until a server demands it.
    pub(crate) fn attached(response: F, attached: Attached) -> Self {
        match attached {
            Attached::Token(sent) => Self { state: ResponseState::Observed { response, sent } },
            Attached::RepeatedToken(sent) => Self::slow(SlowRequest::Repeated { response, sent }),
            Attached::Proof(proof) => Self::slow(SlowRequest::Proven { response, proof }),
            Attached::Nothing(sent) => Self::slow(SlowRequest::WithoutToken { response, sent }),
        }
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
        let deferred = Deferred { pending, service, request: Some(request) };
        Self::slow(SlowRequest::Deferred { deferred })
    }

    fn slow(slow: SlowRequest<F, S, B>) -> Self {
        Self { state: ResponseState::Slow { slow: Box::pin(slow) } }
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
        // Checked before the projection, so that the compiler omits the check for requests of the fast path.
        if !matches!(self.state, ResponseState::Sent { .. }) {
            return self.poll_slow(cx);
        }
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
                    return Poll::Ready(Ok(if is_reported { sent.report(response, false) } else { response }));
                }
                ResponseStateProj::Failed { error } => {
                    // Polled after it has completed.
                    return error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error.into())));
                }
                ResponseStateProj::Slow { slow } => match ready!(slow.as_mut().poll(cx))? {
                    SlowOutcome::Response(response) => return Poll::Ready(Ok(response)),
                    SlowOutcome::Sent(response, sent) => state.set(match sent {
                        Some(sent) => ResponseState::Observed { response, sent },
                        None => ResponseState::Sent { response, generation: NO_TOKEN },
                    }),
                },
            }
        }
    }
}

impl<F, S, B> fmt::Debug for ResponseFuture<F, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::Ready;

    use super::*;

    /// The states of a future without proofs.
    #[allow(dead_code, reason = "only its size counts")]
    enum WithoutProofs<F> {
        Sent { response: F, generation: u64 },
        Observed { response: F, sent: SentToken },
        Failed { error: Option<Error> },
        Deferred { deferred: Box<u8> },
    }

    /// DPoP costs a request with a Bearer token nothing.
    #[test]
    fn proofs_do_not_make_the_future_larger() {
        fn sizes<F>() -> (usize, usize) {
            (size_of::<ResponseFuture<F, (), ()>>(), size_of::<WithoutProofs<F>>())
        }
        for (with, without) in [
            sizes::<()>(),
            sizes::<[u8; 7]>(),
            sizes::<Box<u8>>(),
            sizes::<Ready<Result<Response<Vec<u8>>, BoxError>>>(),
            sizes::<[u64; 64]>(),
        ] {
            assert_eq!(with, without);
        }
    }
}
