//! How token requests are sent: through the inner service, with a custom body conversion, or through another service.
//!
//! The route is a type parameter of the layer and of its service:
//!
//! ```
//! use tower_oauth2::{OAuth2, grant::ClientCredentials, route::ThroughService};
//!
//! struct Api<S> {
//!     /// Token requests are sent through the inner service: the default.
//!     http: OAuth2<S, ClientCredentials>,
//! }
//!
//! struct Rpc {
//!     /// Token requests are sent through the service of `token_service`.
//!     channel: OAuth2<tonic::transport::Channel, ClientCredentials, ThroughService>,
//! }
//! ```

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use crate::error::BoxError;
use crate::transport::Transport;

/// How a service of the layer sends its token requests. `S` is the inner service, and `B` its request body.
///
/// Sealed: implemented by [`ThroughInner`], [`WithBody`] and [`ThroughService`].
#[diagnostic::on_unimplemented(
    message = "the layer cannot send token requests through `{S}`",
    label = "its request body does not implement `From<Bytes>`, or it is not a `Clone` and `Send` HTTP service",
    note = "set a conversion with `.token_body(…)`, or another client with `.token_service(…)`"
)]
pub trait TokenRoute<S, B>: sealed::MakeTransport<S, B> {}

impl<T: sealed::MakeTransport<S, B>, S, B> TokenRoute<S, B> for T {}

/// Sends token requests through a clone of the inner service. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThroughInner;

/// Sends token requests through a clone of the inner service, with a body that `F` converts.
///
/// Created by [`OAuth2Layer::token_body`](crate::OAuth2Layer::token_body).
#[derive(Clone, Copy)]
pub struct WithBody<F>(pub(crate) F);

/// Sends token requests through another service.
///
/// Created by [`OAuth2Layer::token_service`](crate::OAuth2Layer::token_service).
#[derive(Clone, Debug)]
pub struct ThroughService(pub(crate) Transport);

impl<F> std::fmt::Debug for WithBody<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WithBody")
    }
}

mod sealed {
    use super::Transport;

    pub trait MakeTransport<S, B> {
        /// Returns the transport of a service whose inner service is `inner`.
        fn transport(&self, inner: &S) -> Transport;
    }
}

pub(crate) use self::sealed::MakeTransport;

impl<S, B, R> MakeTransport<S, B> for ThroughInner
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: From<Bytes> + 'static,
    R: Body + Send,
    R::Data: Send,
    R::Error: Into<BoxError>,
{
    fn transport(&self, inner: &S) -> Transport {
        Transport::from_service(inner.clone(), B::from)
    }
}

impl<S, B, R, F> MakeTransport<S, B> for WithBody<F>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    F: Fn(Full<Bytes>) -> B + Clone + Send + Sync + 'static,
    R: Body + Send,
    R::Data: Send,
    R::Error: Into<BoxError>,
{
    fn transport(&self, inner: &S) -> Transport {
        let body = self.0.clone();
        Transport::from_service(inner.clone(), move |bytes| body(Full::new(bytes)))
    }
}

impl<S, B> MakeTransport<S, B> for ThroughService {
    fn transport(&self, _inner: &S) -> Transport {
        self.0.clone()
    }
}
