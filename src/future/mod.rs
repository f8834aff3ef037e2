//! The future of a response: the inner service's own, but for the requests that came too late.

mod heard;
mod late;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

pub(crate) use self::heard::Refused;
use self::heard::may_be_refusal;
use self::late::{Begun, Late, Wanted, told};
use crate::cell::{Acquired, Cell, Sent};
use crate::error::{BoxError, Error};

pin_project! {
    /// The response of an [`OAuth2`](crate::OAuth2) service.
    ///
    /// # Cancel safety
    ///
    /// Dropping it abandons the request, as the inner service's own future would. A token call that it waited for goes on.
    pub struct ResponseFuture<F, S, B> {
        #[pin]
        state: State<F, S, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, S, B> {
        /// The request is with the inner service, with a token.
        Sent { #[pin] response: F, sent: Sent },
        /// The request is with the inner service as it came: nothing is left to do but to pass the response on.
        Passed { #[pin] response: F },
        /// It is not, or not yet. Boxed, for it is large and rare.
        Held { held: Box<Held<S, B>> },
    }
}

#[expect(clippy::large_enum_variant, reason = "it is always boxed")]
enum Held<S, B> {
    /// There is no token, or the request must not be sent.
    Failed(Option<Error>),
    /// No token, or no ready inner service, at the time of the call.
    Late(Late<S, B>),
}

impl<F, S, B> State<F, S, B> {
    #[inline]
    fn of(response: F, sent: Option<Sent>) -> Self {
        match sent {
            Some(sent) => Self::Sent { response, sent },
            None => Self::Passed { response },
        }
    }
}

impl<F, S, B> ResponseFuture<F, S, B> {
    /// The request was sent, with a token or without.
    #[inline]
    pub(crate) fn sending(response: F, sent: Option<Sent>) -> Self {
        Self { state: State::of(response, sent) }
    }

    /// The `request` was not sent.
    pub(crate) fn failed(error: Error, request: &Request<B>) -> Self {
        Self::held(Held::Failed(Some(told(error, request))))
    }

    /// Waits for the token of a cell, if one is wanted, readies `service`, and sends.
    pub(crate) fn late(service: S, request: Request<B>, token: Option<(Arc<Cell>, Acquired)>) -> Self {
        let token = token.map(|(cell, acquired)| Wanted { cell, acquired });
        Self::held(Held::Late(Late { token, service, request: Some(request) }))
    }

    fn held(held: Held<S, B>) -> Self {
        Self { state: State::Held { held: Box::new(held) } }
    }
}

impl<F, S, B, R> Future for ResponseFuture<F, S, B>
where
    S: Service<Request<B>, Response = Response<R>, Future = F> + Clone,
    S::Error: Into<BoxError>,
    F: Future<Output = Result<Response<R>, S::Error>>,
{
    type Output = Result<Response<R>, BoxError>;

    // Always inlined, so that the response is moved once less. All but the plain case is out of line.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.as_mut().project().state.project() {
            StateProj::Sent { response, sent } if !sent.is_heeded() => match response.poll(cx) {
                Poll::Ready(Ok(response)) if may_be_refusal(&response) => Poll::Ready(Ok(sent.tell(response))),
                Poll::Ready(Ok(response)) => Poll::Ready(Ok(response)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
                Poll::Pending => Poll::Pending,
            },
            _ => self.poll_with_care(cx),
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
    fn poll_with_care(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Response<R>, BoxError>> {
        let mut state = self.as_mut().project().state;
        let (response, sent) = loop {
            match state.as_mut().project() {
                StateProj::Sent { response, sent } => break (response, Some(*sent)),
                StateProj::Passed { response } => break (response, None),
                StateProj::Held { held } => {
                    // As with any future, there is nothing more to come after the end.
                    let Some((response, sent)) = ready!(held.poll_sent(cx))? else { return Poll::Pending };
                    state.set(State::of(response, sent));
                }
            }
        };
        let response = ready!(response.poll(cx)).map_err(Into::into)?;
        Poll::Ready(Ok(match sent {
            Some(sent) if sent.is_heeded() || may_be_refusal(&response) => sent.tell(response),
            _ => response,
        }))
    }
}

impl<S, B> Held<S, B> {
    /// The inner service's future, once the request is with it; `None` when it was taken already.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Begun<S::Future>>, BoxError>>
    where
        S: Service<Request<B>> + Clone,
        S::Error: Into<BoxError>,
    {
        match self {
            Self::Failed(error) => Poll::Ready(error.take().map_or(Ok(None), |error| Err(error.into()))),
            Self::Late(late) => late.poll_sent(cx),
        }
    }
}

impl<F, S, B> fmt::Debug for ResponseFuture<F, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
