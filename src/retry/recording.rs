//! A layer that records request bodies, its service and its future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::{Body, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::recorded_body::{RecordedBody, Recording};
use super::repetitions::Repetitions;

/// Repeats a request from a recording of its body: once if the API rejected its token, and once with the nonce that the API demands.
///
/// Created by [`RetryUnauthorized::into_layer`](super::RetryUnauthorized::into_layer).
#[derive(Clone)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct RecordingLayer<F> {
    max_bytes: usize,
    wrap: F,
}

/// The service that a [`RecordingLayer`] creates.
#[derive(Clone)]
pub struct RecordingService<S, F> {
    inner: S,
    max_bytes: usize,
    wrap: F,
}

pin_project! {
    /// The response future that a [`RecordingService`] returns.
    ///
    /// # Cancel safety
    ///
    /// Dropping it cancels the request. It is not repeated then.
    pub struct RecordingFuture<S, F, B>
    where
        S: Service<Request<B>>,
    {
        service: S,
        wrap: F,
        // `None` after the last response.
        repeatable: Option<Repeatable>,
        #[pin]
        state: RetryState<S::Future, B>,
    }
}

pin_project! {
    #[project = RetryStateProj]
    enum RetryState<F, B> {
        Sent { #[pin] response: F },
        Repeating { request: Option<Request<B>> },
    }
}

/// The parts of a request that can be repeated.
struct Repeatable {
    /// With the extensions of earlier repetitions.
    head: Request<()>,
    body: Recording,
    hint: SizeHint,
    repetitions: Repetitions,
}

impl<F> RecordingLayer<F> {
    pub(super) fn new(max_bytes: usize, wrap: F) -> Self {
        Self { max_bytes, wrap }
    }
}

impl<S, F: Clone> Layer<S> for RecordingLayer<F> {
    type Service = RecordingService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        RecordingService { inner, max_bytes: self.max_bytes, wrap: self.wrap.clone() }
    }
}

impl<S, F, B, R> Service<Request<B>> for RecordingService<S, F>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    F: Fn(RecordedBody<B>) -> B + Clone,
    B: Body + Unpin,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = RecordingFuture<S, F, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let hint = body.size_hint();
        let (body, recording) = RecordedBody::new(body, self.max_bytes);
        let repeatable = Repeatable {
            head: Request::from_parts(head.clone(), ()),
            body: recording,
            hint,
            repetitions: Repetitions::default(),
        };
        let response = self.inner.call(Request::from_parts(head, (self.wrap)(body)));
        RecordingFuture {
            service: self.inner.clone(),
            wrap: self.wrap.clone(),
            repeatable: Some(repeatable),
            state: RetryState::Sent { response },
        }
    }
}

impl<S, F, B, R> Future for RecordingFuture<S, F, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    F: Fn(RecordedBody<B>) -> B,
    B: Body,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                RetryStateProj::Sent { response } => {
                    let result = ready!(response.poll(cx));
                    let repeatable = result.as_ref().ok().zip(this.repeatable.as_mut());
                    let Some(request) = repeatable.and_then(|(response, repeatable)| repeatable.repeat(response))
                    else {
                        *this.repeatable = None;
                        return Poll::Ready(result);
                    };
                    // The response may occupy a connection, so it is dropped before the service is polled for readiness.
                    drop(result);
                    let request = Some(request.map(&*this.wrap));
                    this.state.set(RetryState::Repeating { request });
                }
                RetryStateProj::Repeating { request } => {
                    ready!(this.service.poll_ready(cx))?;
                    // Polled after it has completed.
                    let Some(request) = request.take() else { return Poll::Pending };
                    let response = this.service.call(request);
                    this.state.set(RetryState::Sent { response });
                }
            }
        }
    }
}

impl Repeatable {
    /// Returns a copy of the request, if `response` rejects its token and the whole body was recorded.
    fn repeat<B: Body, R>(&mut self, response: &Response<R>) -> Option<Request<RecordedBody<B>>> {
        let rejected = self.repetitions.next(response)?;
        let body = RecordedBody::repeated(&self.body, &self.hint)?;
        rejected.prepare_retry(&mut self.head);
        Some(self.head.clone().map(|()| body))
    }
}

impl<F> fmt::Debug for RecordingLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingLayer").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for RecordingService<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingService")
            .field("inner", &self.inner)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

impl<S: Service<Request<B>>, F, B> fmt::Debug for RecordingFuture<S, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use http_body_util::Full;

    use super::*;
    use crate::dpop::{DpopNonce, Htu, ServerNonce};
    use crate::extensions::{NewerThan, TokenRejected};

    #[test]
    fn the_repeated_request_requires_a_newer_token() {
        let body = Full::new(Bytes::from("hello"));
        let hint = body.size_hint();
        let (_sent, recording) = RecordedBody::new(body, 5);
        let mut response = Response::new(());
        response.extensions_mut().insert(TokenRejected::token(7, true));
        let head = Request::new(());
        let mut repeatable = Repeatable { head, body: recording, hint, repetitions: Repetitions::default() };
        let request = repeatable.repeat::<Full<Bytes>, _>(&response).unwrap();
        assert_eq!(request.extensions().get(), Some(&NewerThan(7)));
        assert_eq!(request.body().size_hint().exact(), Some(5));
    }

    /// The second repetition has the extensions of the first.
    #[test]
    fn a_second_repetition_requires_a_newer_token_too() {
        let (_sent, recording) = RecordedBody::new(Full::new(Bytes::from("hello")), 5);
        let (head, hint) = (Request::new(()), SizeHint::with_exact(5));
        let mut repeatable = Repeatable { head, body: recording, hint, repetitions: Repetitions::default() };
        let nonce = HeaderMap::from_iter([(HeaderName::from_static("dpop-nonce"), HeaderValue::from_static("n1"))]);
        let htu = Htu::new(&"https://api.example.com/".parse().unwrap()).unwrap();
        let demanded = TokenRejected::nonce(ServerNonce::new(&htu, DpopNonce::from_headers(&nonce).unwrap()));
        for rejected in [TokenRejected::token(7, true), demanded] {
            let mut response = Response::new(());
            response.extensions_mut().insert(rejected);
            let request = repeatable.repeat::<Full<Bytes>, _>(&response).unwrap();
            assert_eq!(request.extensions().get(), Some(&NewerThan(7)));
        }
    }
}
