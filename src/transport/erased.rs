//! Sends one request through a service whose type is erased. Token requests are rare, so boxing their futures costs nothing.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tower_service::Service;

use super::request_limits::RequestLimits;
use crate::clock;
use crate::error::{BoxError, Error, ErrorKind};
use crate::sync::{Mutex, lock};

/// A response whose body is the error if it could not be received completely.
pub(super) type RawResponse = Response<Result<Bytes, Error>>;

type SendFuture<'a> = Pin<Box<dyn Future<Output = Result<RawResponse, Error>> + Send + 'a>>;

pub(super) trait ErasedService: Send + Sync {
    /// Sends `request` and receives the response, within the limits.
    fn send(&self, request: Request<Bytes>, limits: RequestLimits) -> SendFuture<'_>;
}

/// Identifies the service of a transport. It does not keep the service alive.
pub(crate) struct ServiceIdentity(Weak<dyn ErasedService>);

impl ServiceIdentity {
    pub(super) fn of(service: &Arc<dyn ErasedService>) -> Self {
        Self(Arc::downgrade(service))
    }
}

impl PartialEq for ServiceIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

/// Implements [`ErasedService`] for a service and a conversion of the request body.
pub(super) struct Adapter<S, F> {
    /// Only cloned, because each request needs a service that is ready. The mutex makes the adapter `Sync` even if `S` is not; it is
    /// locked only while the service is cloned.
    service: Mutex<S>,
    body: F,
}

impl<S, F> Adapter<S, F> {
    pub(super) fn new(service: S, body: F) -> Self {
        Self { service: Mutex::new(service), body }
    }
}

impl<S, F, B, R> ErasedService for Adapter<S, F>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send,
    S::Future: Send,
    S::Error: Into<BoxError>,
    F: Fn(Bytes) -> B + Send + Sync,
    R: Body + Send,
    R::Data: Send,
    R::Error: Into<BoxError>,
{
    fn send(&self, request: Request<Bytes>, limits: RequestLimits) -> SendFuture<'_> {
        let RequestLimits { timeout, max_response_size: limit } = limits;
        Box::pin(async move {
            let start = clock::now();
            let response = async {
                let mut service = lock(&self.service).clone();
                poll_fn(|cx| service.poll_ready(cx)).await.map_err(unreachable)?;
                let response = service.call(request.map(&self.body));
                // The service may hold a permit of a pool or a queue, for which other requests wait.
                drop(service);
                response.await.map_err(unreachable)
            };
            let response = clock::within(timeout, response).await.unwrap_or_else(|| Err(too_late(timeout)));
            let (parts, body) = response?.into_parts();
            if body.size_hint().lower() > limit as u64 {
                return Ok(Response::from_parts(parts, Err(too_large(limit))));
            }
            let left = timeout.saturating_sub(clock::now().since(start));
            let body = match clock::within(left, Limited::new(body, limit).collect()).await {
                Some(Ok(body)) => Ok(body.to_bytes()),
                // The rest of the body is not drained: dropping it closes an HTTP/1.1 connection.
                Some(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
                Some(Err(error)) => Err(unreachable(error)),
                None => Err(too_late(timeout)),
            };
            Ok(Response::from_parts(parts, body))
        })
    }
}

fn too_late(timeout: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("no complete response within {timeout:?}"))
}

fn too_large(limit: usize) -> Error {
    Error::malformed(format!("its body is longer than {limit} bytes"))
}

/// Converts an error of the service. Only [`ErrorKind::Recursion`] keeps its kind, because then the service is this layer itself.
fn unreachable(error: impl Into<BoxError>) -> Error {
    match error.into().downcast::<Error>() {
        Ok(ours) if ours.kind() == ErrorKind::Recursion => *ours,
        Ok(ours) => Error::caused_by(ErrorKind::Transport, ours),
        Err(theirs) => Error::caused_by(ErrorKind::Transport, theirs),
    }
}
