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
use self::late::{Late, Wanted, told};
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
        sent: Option<Sent>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, S, B> {
        /// The request is with the inner service: nothing is left to do but to pass the response on.
        Sending { #[pin] response: F },
        /// There is no token, or the request must not be sent.
        Failed { error: Option<Error> },
        /// No token, or no ready inner service, at the time of the call. Boxed, for it is large and rare.
        Late { late: Box<Late<S, B>> },
    }
}

impl<F, S, B> ResponseFuture<F, S, B> {
    #[inline]
    pub(crate) fn sending(response: F, sent: Option<Sent>) -> Self {
        Self { state: State::Sending { response }, sent }
    }

    /// The `request` was not sent.
    pub(crate) fn failed(error: Error, request: &Request<B>) -> Self {
        Self { state: State::Failed { error: Some(told(error, request)) }, sent: None }
    }

    /// Waits for the token of a cell, if one is wanted, readies `service`, and sends.
    pub(crate) fn late(service: S, request: Request<B>, token: Option<(Arc<Cell>, Acquired)>) -> Self {
        let token = token.map(|(cell, acquired)| Wanted { cell, acquired });
        let late = Box::new(Late { token, service, request: Some(request) });
        Self { state: State::Late { late }, sent: None }
    }
}

impl<F, S, B, R> Future for ResponseFuture<F, S, B>
where
    S: Service<Request<B>, Response = Response<R>, Future = F> + Clone,
    S::Error: Into<BoxError>,
    F: Future<Output = Result<Response<R>, S::Error>>,
{
    type Output = Result<Response<R>, BoxError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !matches!(self.state, State::Sending { .. }) {
            ready!(self.as_mut().poll_sending(cx))?;
        }
        let this = self.project();
        // As with any future, there is nothing more to come after the end.
        let StateProj::Sending { response } = this.state.project() else { return Poll::Pending };
        match response.poll(cx) {
            Poll::Ready(Ok(response)) => match this.sent {
                Some(sent) if sent.is_told(&response) => Poll::Ready(Ok(sent.tell(response))),
                _ => Poll::Ready(Ok(response)),
            },
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<F, S, B> ResponseFuture<F, S, B>
where
    S: Service<Request<B>, Future = F> + Clone,
    S::Error: Into<BoxError>,
{
    /// Waits until the request is with the inner service.
    #[inline(never)]
    fn poll_sending(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut this = self.project();
        let response = match this.state.as_mut().project() {
            StateProj::Sending { .. } => None,
            StateProj::Failed { error } => error.take().map_or(Ok(None), Err)?,
            StateProj::Late { late } => ready!(late.poll_sent(cx, this.sent))?,
        };
        if let Some(response) = response {
            this.state.set(State::Sending { response });
        }
        Poll::Ready(Ok(()))
    }
}

impl<F, S, B> fmt::Debug for ResponseFuture<F, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
