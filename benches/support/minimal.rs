//! A minimal layer that may wait for a token and checks for a 401. It sets a static header, checks one flag in `poll_ready`,
//! and checks the status of the response. It has no token, no expiry and no origin.
//!
//! It shows the cost that any such layer has: the compiler copies the request once more because `poll_ready` may wait or
//! fail, and the response once more because two branches return it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use tower::{BoxError, Service};

static HAS_TOKEN: AtomicBool = AtomicBool::new(true);

pub struct MinimalLayer<S> {
    pub inner: S,
    pub header: HeaderValue,
}

impl<S, B, R> Service<Request<B>> for MinimalLayer<S>
where
    S: Service<Request<B>, Response = Response<R>, Future: Unpin>,
    S::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = CheckStatus<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if !HAS_TOKEN.load(Ordering::Acquire) {
            ready!(wait(cx))?;
        }
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline(always)]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.headers_mut().insert(AUTHORIZATION, self.header.clone());
        CheckStatus(self.inner.call(request))
    }
}

#[cold]
#[inline(never)]
fn wait(cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

pub struct CheckStatus<F>(F);

impl<F, R, E> Future for CheckStatus<F>
where
    F: Future<Output = Result<Response<R>, E>> + Unpin,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match Pin::new(&mut self.0).poll(cx) {
            Poll::Ready(Ok(response)) if response.status() == StatusCode::UNAUTHORIZED => {
                Poll::Ready(Ok(rejected(response)))
            }
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(response)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cold]
#[inline(never)]
fn rejected<R>(response: Response<R>) -> Response<R> {
    HAS_TOKEN.store(false, Ordering::Release);
    response
}
