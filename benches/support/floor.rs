//! The least that a layer can do which may have to wait for a token and sees a 401: a static header, a look at one flag before
//! the inner service is asked, a look at the status of the response. There is no token, no expiry and no origin.
//!
//! It tells what of the cost is the compiler's: the request has to be kept whole while `poll_ready` may wait or fail, and the
//! response where two ways meet, so that each is copied once more.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use tower::{BoxError, Service};

static HAS_TOKEN: AtomicBool = AtomicBool::new(true);

pub struct Floor<S> {
    pub inner: S,
    pub header: HeaderValue,
}

impl<S, B, R> Service<Request<B>> for Floor<S>
where
    S: Service<Request<B>, Response = Response<R>, Future: Unpin>,
    S::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = Looking<S::Future>;

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
        Looking(self.inner.call(request))
    }
}

#[cold]
#[inline(never)]
fn wait(cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

pub struct Looking<F>(F);

impl<F, R, E> Future for Looking<F>
where
    F: Future<Output = Result<Response<R>, E>> + Unpin,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match Pin::new(&mut self.0).poll(cx) {
            Poll::Ready(Ok(response)) if response.status() == StatusCode::UNAUTHORIZED => {
                Poll::Ready(Ok(refused(response)))
            }
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(response)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cold]
#[inline(never)]
fn refused<R>(response: Response<R>) -> Response<R> {
    HAS_TOKEN.store(false, Ordering::Release);
    response
}
