//! The requests that came too late for the token, or too early for the inner service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Request;
use tower_service::Service;

use crate::cell::{Acquired, Cell, Sent};
use crate::error::{BoxError, Error};

/// A request that waits, for the token or for the inner service.
pub(super) struct Late<S, B> {
    /// `None` when the request needs no token.
    pub(super) token: Option<Wanted>,
    pub(super) service: S,
    pub(super) request: Option<Request<B>>,
}

/// The inner service's future, and how the request went.
pub(super) type Begun<F> = (F, Option<Sent>);

/// A token that a request is to be sent with, as new as there is one at that moment.
pub(super) struct Wanted {
    pub(super) cell: Arc<Cell>,
    pub(super) acquired: Acquired,
}

impl<S, B> Late<S, B> {
    /// The inner service's future, once the request is with it; `None` when it was taken already.
    pub(super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Begun<S::Future>>, BoxError>>
    where
        S: Service<Request<B>> + Clone,
        S::Error: Into<BoxError>,
    {
        let mut sent = None;
        loop {
            ready!(self.poll_token(cx))?;
            ready!(self.service.poll_ready(cx)).map_err(Into::into)?;
            if self.attach(&mut sent) {
                let service = &mut self.service;
                return Poll::Ready(Ok(self.request.take().map(|request| (service.call(request), sent))));
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
        *sent = token.cell.with_usable(|current| Sent::with(request, current, &token.cell));
        // One that had ended when it came serves those who waited for it, and nobody loops.
        if let (None, Acquired::Usable(current)) = (&sent, &token.acquired)
            && current.came_stale()
            && token.cell.is_newest(current.generation)
        {
            *sent = Some(Sent::with(request, current, &token.cell));
        }
        if sent.is_none() {
            match token.cell.acquire(|| None) {
                // As a last resort, beyond what readers see.
                Acquired::Usable(current) => *sent = Some(Sent::with(request, &current, &token.cell)),
                acquired => token.acquired = acquired,
            }
        }
        sent.is_some()
    }
}

/// The error in the manner of the protocol that the request speaks.
#[cfg(feature = "tonic")]
pub(super) fn told<B>(error: Error, request: &Request<B>) -> Error {
    let content_type = request.headers().get(http::header::CONTENT_TYPE);
    let is_grpc = content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if is_grpc { error.for_grpc() } else { error }
}

#[cfg(not(feature = "tonic"))]
pub(super) fn told<B>(error: Error, _request: &Request<B>) -> Error {
    error
}
