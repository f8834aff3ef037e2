//! The future of a response: the inner service's own, but for the requests that came too late.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::attach;
use crate::cell::Wait;
use crate::error::Error;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pin_project! {
    /// The response of an [`OAuth2`](crate::OAuth2) service.
    pub struct ResponseFuture<F, S, B> {
        #[pin]
        state: State<F, S, B>,
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

struct Late<S, B> {
    /// Waits for the token; `None` when the request has what it needs.
    wait: Option<Wait>,
    service: S,
    request: Option<Request<B>>,
}

impl<F, S, B> ResponseFuture<F, S, B> {
    pub(crate) fn sending(response: F) -> Self {
        Self { state: State::Sending { response } }
    }

    pub(crate) fn failed(error: Error) -> Self {
        Self { state: State::Failed { error: Some(error) } }
    }

    /// Waits for a token if it must, readies `service`, and sends.
    pub(crate) fn late(service: S, request: Request<B>, wait: Option<Wait>) -> Self {
        Self { state: State::Late { late: Box::new(Late { wait, service, request: Some(request) }) } }
    }
}

impl<F, S, B, R> Future for ResponseFuture<F, S, B>
where
    S: Service<Request<B>, Response = Response<R>, Future = F>,
    S::Error: Into<BoxError>,
    F: Future<Output = Result<Response<R>, S::Error>>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let response = match state.as_mut().project() {
                StateProj::Sending { response } => return response.poll(cx).map_err(Into::into),
                // As with any future, there is nothing more to come after the end.
                StateProj::Failed { error } => match error.take() {
                    Some(error) => return Poll::Ready(Err(error.into())),
                    None => return Poll::Pending,
                },
                StateProj::Late { late } => ready!(late.poll_sent(cx))?,
            };
            match response {
                Some(response) => state.set(State::Sending { response }),
                None => return Poll::Pending,
            }
        }
    }
}

impl<S, B> Late<S, B> {
    /// The inner service's future, once the request is with it; `None` when it was taken already.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<S::Future>, BoxError>>
    where
        S: Service<Request<B>>,
        S::Error: Into<BoxError>,
    {
        if let Some(wait) = &mut self.wait {
            let current = ready!(Pin::new(wait).poll(cx)).map_err(|failure| failure.error)?;
            self.wait = None;
            if let Some(request) = &mut self.request {
                attach::insert(request, current.token.header());
            }
        }
        ready!(self.service.poll_ready(cx)).map_err(Into::into)?;
        let service = &mut self.service;
        Poll::Ready(Ok(self.request.take().map(|request| service.call(request))))
    }
}

impl<F, S, B> fmt::Debug for ResponseFuture<F, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
