//! Code that the benches share: a service that does nothing, a whole request through a service, and the measuring code.

pub mod call_style;
pub mod callgrind;
pub mod cases;
pub mod herd;
pub mod minimal;
#[cfg(feature = "peers")]
pub mod peers;
pub mod proofs;
pub mod signing;
pub mod sources;
pub mod table;
pub mod tenants;
pub mod timing;
pub mod token_server;

use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use tower::{Service, ServiceExt};

use crate::call_style::CallStyle;

pub type Body = Full<Bytes>;

/// A case to measure: it runs a number of whole requests one after the other.
pub struct Case {
    pub name: String,
    pub call_style: CallStyle,
    pub run: Box<dyn FnMut(u32) + Send>,
}

impl Case {
    /// Sends requests through `service`, which must be ready and respond at once.
    pub fn new<S>(name: impl Into<String>, mut service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Send + 'static,
    {
        let run = move |requests| (0..requests).for_each(|_| send(&mut service));
        Self { name: name.into(), call_style: CallStyle::Service, run: Box::new(run) }
    }

    /// Calls `run` for each request.
    pub fn repeated(name: impl Into<String>, mut run: impl FnMut() + Send + 'static) -> Self {
        let run = move |requests| (0..requests).for_each(|_| run());
        Self { name: name.into(), call_style: CallStyle::Service, run: Box::new(run) }
    }

    /// Sends requests through clones of `base`, one clone per request. `call_style` says whether the caller has polled `base`.
    pub fn cloned<S>(name: &str, call_style: CallStyle, base: Arc<S>) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
    {
        let run = move |requests| (0..requests).for_each(|_| send_through_clone(&*base));
        Self { name: call_style.name(name), call_style, run: Box::new(run) }
    }
}

/// The inner service of all cases. It is not inlined, like a service that does something.
#[inline(never)]
pub fn no_op<E>(request: Request<Body>) -> Ready<Result<Response<Body>, E>> {
    drop(black_box(request));
    ready(Ok(Response::new(Body::default())))
}

static URI: LazyLock<Uri> = LazyLock::new(|| Uri::from_static("https://api.example.com/"));

/// A cheap request, so that the cost of a layer is visible: nothing is parsed, and threads share nothing in it. It has a
/// header, as most requests have, so that adding another does not allocate the map.
#[inline(never)]
pub fn request() -> Request<Body> {
    let mut request = Request::new(Body::default());
    *request.uri_mut() = URI.clone();
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    request
}

/// Runs one whole request: builds it, polls the service, calls it, and drops the response.
#[inline]
pub fn send<S>(service: &mut S)
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    send_request(service, request());
}

/// Runs one whole request like [`send`], with the given request.
#[inline]
pub fn send_request<S>(service: &mut S, request: Request<Body>)
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
    let mut response = pin!(service.call(request));
    match response.as_mut().poll(&mut cx) {
        Poll::Ready(Ok(response)) => drop(black_box(response)),
        _ => panic!("the inner service responds at once"),
    }
}

/// Runs one whole request through a clone of `service`, as a request handler with a client in shared state does.
#[inline]
pub fn send_through_clone<S>(service: &S)
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone,
{
    let mut response = pin!(service.clone().oneshot(request()));
    match response.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => drop(black_box(response)),
        _ => panic!("the inner service responds at once"),
    }
}
