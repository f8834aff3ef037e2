//! A request that waits, or that was sent with a proof.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::attachment::Attached;
use super::deferred::Deferred;
use super::sent_proof::SentProof;
use super::sent_token::SentToken;
use super::sent_without_token::SentWithoutToken;
use crate::error::BoxError;

pin_project! {
    /// What [`ResponseFuture`](super::ResponseFuture) keeps in a box. Proofs add no state to the future itself, so requests with Bearer tokens
    /// cost the same with and without them.
    #[project = SlowRequestProj]
    pub(super) enum SlowRequest<F, S, B> {
        /// The request waits for a token or for the inner service.
        Deferred { deferred: Deferred<S, B> },
        /// The request was sent again because of a challenge.
        Repeated { #[pin] response: F, sent: SentToken },
        /// The request was sent with a bound token and its proof.
        Proven { #[pin] response: F, proof: SentProof },
        /// The request was sent without a token, and its response may demand one.
        WithoutToken { #[pin] response: F, sent: SentWithoutToken },
    }
}

/// How a request continues.
pub(super) enum SlowOutcome<F, R> {
    Response(Response<R>),
    /// It was sent, with a Bearer token or without a token.
    Sent(F, Option<SentToken>),
}

impl<F, S, B, R> SlowRequest<F, S, B>
where
    S: Service<Request<B>, Response = Response<R>, Future = F> + Clone,
    S::Error: Into<BoxError>,
    F: Future<Output = Result<Response<R>, S::Error>>,
{
    pub(super) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<SlowOutcome<F, R>, BoxError>> {
        loop {
            match self.as_mut().project() {
                SlowRequestProj::Proven { response, proof } => {
                    let response = ready!(response.poll(cx)).map_err(Into::into)?;
                    return Poll::Ready(Ok(SlowOutcome::Response(proof.report(response))));
                }
                SlowRequestProj::Repeated { response, sent } => {
                    let response = ready!(response.poll(cx)).map_err(Into::into)?;
                    return Poll::Ready(Ok(SlowOutcome::Response(sent.report(response, true))));
                }
                SlowRequestProj::WithoutToken { response, sent } => {
                    let response = ready!(response.poll(cx)).map_err(Into::into)?;
                    return Poll::Ready(Ok(SlowOutcome::Response(sent.report(response))));
                }
                SlowRequestProj::Deferred { deferred } => {
                    // The request was sent before.
                    let Some((response, attached)) = ready!(deferred.poll_sent(cx))? else { return Poll::Pending };
                    match attached {
                        Some(Attached::Proof(proof)) => self.set(Self::Proven { response, proof }),
                        Some(Attached::Nothing(sent)) => self.set(Self::WithoutToken { response, sent }),
                        Some(Attached::RepeatedToken(sent)) => self.set(Self::Repeated { response, sent }),
                        Some(Attached::Token(sent)) => return Poll::Ready(Ok(SlowOutcome::Sent(response, Some(sent)))),
                        None => return Poll::Ready(Ok(SlowOutcome::Sent(response, None))),
                    }
                }
            }
        }
    }
}
