//! The future of a response: the inner service's own, but for the requests that came too late.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::attach;
use crate::cell::{Cell, Current, Wait};
use crate::challenge::asks_for_others_only;
use crate::error::{BoxError, Error};

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

    /// Any 401 to a request that carried our token counts, unless it clearly asks for something else; and what stands for it
    /// in gRPC, a trailers-only response with `UNAUTHENTICATED`.
    fn heard<R>(&self, response: &Response<R>) {
        let headers = response.headers();
        let refused = (response.status() == StatusCode::UNAUTHORIZED && !asks_for_others_only(headers))
            || headers.get("grpc-status").is_some_and(|status| status == "16");
        self.cell.hear(self.generation, refused);
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

    pub(crate) fn failed(error: Error) -> Self {
        Self { state: State::Failed { error: Some(error) }, sent: None }
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
                    let response = ready!(response.poll(cx)).map_err(Into::into)?;
                    if let Some(sent) = sent.take() {
                        sent.heard(&response);
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
        if let Some((wait, cell)) = &mut self.wait {
            let current = ready!(Pin::new(wait).poll(cx)).map_err(|failure| failure.error)?;
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

impl<F, S, B> fmt::Debug for ResponseFuture<F, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
