//! What the benches share: a service that does nothing, one whole request through a service, and the ways to measure it.

pub mod callgrind;
pub mod cases;
pub mod floor;
pub mod herd;
#[cfg(feature = "peers")]
pub mod peers;
pub mod sources;
pub mod table;
pub mod timing;
pub mod token_server;

use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Request, Response, Uri};
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

/// The inner service of all: it takes the request and answers. As little of it is inlined as of one that does something.
#[inline(never)]
pub fn no_op<E>(request: Request<Body>) -> Ready<Result<Response<Body>, E>> {
    drop(black_box(request));
    ready(Ok(Response::new(Body::default())))
}

static URI: LazyLock<Uri> = LazyLock::new(|| Uri::from_static("https://api.example.com/"));

/// A request that costs little itself, so that what is added to it shows: nothing is parsed, and nothing in it is shared
/// between threads. It has a header already, as requests do: who adds the next one does not pay for the map.
#[inline(never)]
pub fn request() -> Request<Body> {
    let mut request = Request::new(Body::default());
    *request.uri_mut() = URI.clone();
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    request
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
