//! The future of a response: the inner service's own, but for the requests that came too late.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::attach;
use crate::cell::{Acquired, Cell, Current, Sent};
use crate::challenge::asks_for_others_only;
use crate::error::{BoxError, Error};

/// Marks the response to a request whose token was refused, where another token may be had.
#[derive(Clone, Copy)]
pub(crate) struct Refused;

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

impl Sent {
    /// Whether the cell is to hear of it.
    #[inline]
    fn is_told<R>(self, response: &Response<R>) -> bool {
        is_refusal(response.status(), response.headers()) || self.beacon.heeds()
    }

    /// Tells the cell how it went, and those outside of the layer whether another token may do better.
    #[cold]
    fn tell<R>(self, mut response: Response<R>) -> Response<R> {
        let (status, headers) = (response.status(), response.headers());
        let Some(cell) = self.beacon.cell() else { return response };
        if !is_refusal(status, headers) && !cell.is_also_refusal(status, headers) {
            cell.accepted(self.generation);
        } else if cell.refused(self.generation) {
            response.extensions_mut().insert(Refused);
        }
        response
    }
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Any 401 to a request that carried our token counts, unless it clearly asks for something else; and what stands for it in gRPC,
/// a trailers-only response with `UNAUTHENTICATED`.
#[inline]
fn is_refusal(status: StatusCode, headers: &HeaderMap) -> bool {
    (status == StatusCode::UNAUTHORIZED && !asks_for_others_only(headers))
        || (!headers.is_empty() && headers.get(GRPC_STATUS).is_some_and(|status| status == "16"))
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
    /// `None` when the request needs no token.
    token: Option<Wanted>,
    service: S,
    request: Option<Request<B>>,
}

/// A token that a request is to be sent with, as new as there is one at that moment.
struct Wanted {
    cell: Arc<Cell>,
    acquired: Acquired,
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

impl<S, B> Late<S, B> {
    /// The inner service's future, once the request is with it; `None` when it was taken already.
    fn poll_sent(&mut self, cx: &mut Context<'_>, sent: &mut Option<Sent>) -> Poll<Result<Option<S::Future>, BoxError>>
    where
        S: Service<Request<B>> + Clone,
        S::Error: Into<BoxError>,
    {
        loop {
            ready!(self.poll_token(cx))?;
            ready!(self.service.poll_ready(cx)).map_err(Into::into)?;
            if self.attach(sent) {
                let service = &mut self.service;
                return Poll::Ready(Ok(self.request.take().map(|request| service.call(request))));
            }
            // It has ended while the inner service was waited for, whose place others may need: the token call among them.
            self.service = self.service.clone();
        }
    }

    /// Waits for the token, where one is wanted.
    fn poll_token(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let Some(token) = &mut self.token else { return Poll::Ready(Ok(())) };
        loop {
            token.acquired = match &mut token.acquired {
                Acquired::Usable(_) => return Poll::Ready(Ok(())),
                Acquired::Wait(wait) => match ready!(Pin::new(wait).poll(cx)) {
                    Ok(current) => Acquired::Usable(current),
                    Err(failure) => token.cell.after(failure),
                },
                Acquired::Failed(failure) => {
                    let error = failure.error.clone();
                    let error = match &self.request {
                        Some(request) => told(error, request),
                        None => error,
                    };
                    return Poll::Ready(Err(error.into()));
                }
            };
        }
    }

    /// Puts the newest token into the request. Whether that could be done, or none is wanted.
    fn attach(&mut self, sent: &mut Option<Sent>) -> bool {
        let (Some(token), Some(request)) = (&mut self.token, &mut self.request) else { return true };
        let mut insert = |current: &Current| {
            attach::insert(request, current.token.header());
            token.cell.sent(current)
        };
        *sent = token.cell.with_usable(&mut insert);
        // One that had ended when it came serves those who waited for it, and nobody loops.
        if let (None, Acquired::Usable(current)) = (&sent, &token.acquired)
            && current.came_stale()
            && token.cell.is_newest(current.generation)
        {
            *sent = Some(insert(current));
        }
        if sent.is_none() {
            match token.cell.acquire(|| None) {
                // As a last resort, beyond what readers see.
                Acquired::Usable(current) => *sent = Some(insert(&current)),
                acquired => token.acquired = acquired,
            }
        }
        sent.is_some()
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
