//! The future of a response: the inner service's own, but for the requests that came too late.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::attach;
use crate::cell::{Acquired, Cell, Current, Wait};
use crate::challenge::asks_for_others_only;
use crate::error::{BoxError, Error};

/// Marks the response to a request whose token was refused, where another token may be had.
#[derive(Clone, Copy)]
pub(crate) struct Refused;

pin_project! {
    /// The response of an [`OAuth2`](crate::OAuth2) service.
    pub struct ResponseFuture<F, S, B> {
        #[pin]
        state: State<F, S, B>,
        sent: Option<Sent>,
    }
}

/// Which token a request was sent with, and who is to hear how it went.
pub(crate) struct Sent {
    cell: Arc<Cell>,
    generation: u64,
}

impl Sent {
    /// Puts the token of `cell` into the request.
    pub(crate) fn with<B>(request: &mut Request<B>, current: &Current, cell: &Arc<Cell>) -> Self {
        attach::insert(request, current.token.header());
        Self { cell: cell.clone(), generation: current.generation }
    }

    /// Tells the cell how it went, and those outside of the layer whether another token may do better.
    fn heard<R>(&self, response: &mut Response<R>) {
        if !self.is_refusal(response.status(), response.headers()) {
            self.cell.accepted(self.generation);
        } else if self.cell.refused(self.generation) {
            response.extensions_mut().insert(Refused);
        }
    }

    /// Any 401 to a request that carried our token counts, unless it clearly asks for something else; and what stands for it
    /// in gRPC, a trailers-only response with `UNAUTHENTICATED`; and what the user says.
    fn is_refusal(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        (status == StatusCode::UNAUTHORIZED && !asks_for_others_only(headers))
            || headers.get("grpc-status").is_some_and(|status| status == "16")
            || self.cell.is_refusal(status, headers)
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
    /// Waits for the token of this cell; `None` when the request has what it needs.
    wait: Option<(Wait, Arc<Cell>)>,
    service: S,
    request: Option<Request<B>>,
}

impl<F, S, B> ResponseFuture<F, S, B> {
    pub(crate) fn sending(response: F, sent: Option<Sent>) -> Self {
        Self { state: State::Sending { response }, sent }
    }

    /// The `request` was not sent.
    pub(crate) fn failed(error: Error, request: &Request<B>) -> Self {
        Self { state: State::Failed { error: Some(told(error, request)) }, sent: None }
    }

    /// Readies `service`, and sends.
    pub(crate) fn late(service: S, request: Request<B>, sent: Option<Sent>) -> Self {
        Self { state: State::Late { late: Box::new(Late { wait: None, service, request: Some(request) }) }, sent }
    }

    /// Waits for the token of `cell`, then as [`ResponseFuture::late`].
    pub(crate) fn waiting(service: S, request: Request<B>, wait: Wait, cell: Arc<Cell>) -> Self {
        let late = Late { wait: Some((wait, cell)), service, request: Some(request) };
        Self { state: State::Late { late: Box::new(late) }, sent: None }
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
        let this = self.project();
        let (mut state, sent) = (this.state, this.sent);
        loop {
            let response = match state.as_mut().project() {
                StateProj::Sending { response } => {
                    let mut response = ready!(response.poll(cx)).map_err(Into::into)?;
                    if let Some(sent) = sent.take() {
                        sent.heard(&mut response);
                    }
                    return Poll::Ready(Ok(response));
                }
                // As with any future, there is nothing more to come after the end.
                StateProj::Failed { error } => match error.take() {
                    Some(error) => return Poll::Ready(Err(error.into())),
                    None => return Poll::Pending,
                },
                StateProj::Late { late } => ready!(late.poll_sent(cx, sent))?,
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
    fn poll_sent(&mut self, cx: &mut Context<'_>, sent: &mut Option<Sent>) -> Poll<Result<Option<S::Future>, BoxError>>
    where
        S: Service<Request<B>>,
        S::Error: Into<BoxError>,
    {
        while let Some((wait, cell)) = &mut self.wait {
            let current = match ready!(Pin::new(&mut *wait).poll(cx)) {
                Ok(current) => current,
                Err(failure) => match cell.after(failure) {
                    Acquired::Usable(current) => current,
                    Acquired::Failed(failure) => {
                        let error = match &self.request {
                            Some(request) => told(failure.error, request),
                            None => failure.error,
                        };
                        return Poll::Ready(Err(error.into()));
                    }
                    Acquired::Wait(again) => {
                        *wait = again;
                        continue;
                    }
                },
            };
            if let Some(request) = &mut self.request {
                *sent = Some(Sent::with(request, &current, cell));
            }
            self.wait = None;
        }
        ready!(self.service.poll_ready(cx)).map_err(Into::into)?;
        let service = &mut self.service;
        Poll::Ready(Ok(self.request.take().map(|request| service.call(request))))
    }
}

/// The error in the manner of the protocol that the request speaks.
#[cfg(feature = "tonic")]
fn told<B>(error: Error, request: &Request<B>) -> Error {
    let content_type = request.headers().get(http::header::CONTENT_TYPE);
    let is_grpc = content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if is_grpc { error.for_grpc() } else { error }
}

#[cfg(not(feature = "tonic"))]
fn told<B>(error: Error, _request: &Request<B>) -> Error {
    error
}

impl<F, S, B> fmt::Debug for ResponseFuture<F, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
