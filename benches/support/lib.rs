//! What the benches share: a service that does nothing, one whole request through a service, and the ways to measure it.

pub mod callgrind;
pub mod cases;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::Service;

pub type Body = Full<Bytes>;

/// One thing to measure: so many whole requests, one after the other.
pub struct Case {
    pub name: String,
    pub run: Box<dyn FnMut(u32) + Send>,
}

impl Case {
    /// Requests through `service`, which is ready at once and answers at once.
    pub fn new<S>(name: impl Into<String>, mut service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Send + 'static,
    {
        let run = move |requests| (0..requests).for_each(|_| send(&mut service));
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// The inner service of all: it takes the request and answers.
pub fn no_op(request: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    drop(black_box(request));
    ready(Ok(Response::new(Body::default())))
}

pub fn request() -> Request<Body> {
    Request::get("https://api.example.com/").body(Body::default()).unwrap()
}

/// One whole request: built, sent when the service is ready, answered, and all of it dropped.
#[inline]
pub fn send<S>(service: &mut S)
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let request = request();
    assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
    let mut response = pin!(service.call(request));
    match response.as_mut().poll(&mut cx) {
        Poll::Ready(Ok(response)) => drop(black_box(response)),
        _ => panic!("the inner service answers at once"),
    }
}
