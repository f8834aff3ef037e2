//! The three ways a token call can take: through the inner service, with a body of the user's, through another service.
//!
//! They are a type parameter of the layer and of its service, so one of them stands in the name of a service that has to be
//! named:
//!
//! ```
//! use tower_oauth2::{OAuth2, grant::ClientCredentials, route::ThroughService};
//!
//! struct Api<S> {
//!     /// Token calls through the same service: the default.
//!     http: OAuth2<S, ClientCredentials>,
//! }
//!
//! struct Rpc {
//!     /// After `token_service`.
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

/// How a service of the layer over `S`, called with bodies `B`, sends its token calls.
///
/// It is implemented by [`ThroughInner`], [`WithBody`] and [`ThroughService`], and by nothing else.
#[diagnostic::on_unimplemented(
    message = "the layer does not know how to send token calls through `{S}`",
    label = "its request body cannot be made from `Bytes`, or it is no cloneable, sendable HTTP service",
    note = "give the layer a conversion with `.token_body(…)`, or another client with `.token_service(…)`"
)]
pub trait TokenRoute<S, B>: sealed::Route<S, B> {}

impl<T: sealed::Route<S, B>, S, B> TokenRoute<S, B> for T {}

/// Token calls go through a clone of the inner service: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThroughInner;

/// Token calls go through a clone of the inner service, with a body that `F` makes: see
/// [`OAuth2Layer::token_body`](crate::OAuth2Layer::token_body).
#[derive(Clone, Copy)]
pub struct WithBody<F>(pub(crate) F);

/// Token calls go through a service of their own: see
/// [`OAuth2Layer::token_service`](crate::OAuth2Layer::token_service).
#[derive(Clone, Debug)]
pub struct ThroughService(pub(crate) Transport);

impl<F> std::fmt::Debug for WithBody<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WithBody")
    }
}

mod sealed {
    use super::Transport;

    pub trait Route<S, B> {
        /// What to send through when the inner service is `inner`.
        fn transport(&self, inner: &S) -> Transport;
    }
}

pub(crate) use self::sealed::Route;

impl<S, B, R> Route<S, B> for ThroughInner
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
        Transport::through(inner.clone(), B::from)
    }
}

impl<S, B, R, F> Route<S, B> for WithBody<F>
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
        Transport::through(inner.clone(), move |bytes| body(Full::new(bytes)))
    }
}

impl<S, B> Route<S, B> for ThroughService {
    fn transport(&self, _inner: &S) -> Transport {
        self.0.clone()
    }
}
