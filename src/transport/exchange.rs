//! One request and its answer, with the service's types erased: token calls are rare, so here a box costs nothing.

use std::future::{Future, poll_fn};
use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tower_service::Service;

use crate::error::{BoxError, Error, ErrorKind};
use crate::sync::{Mutex, lock};

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Error>> + Send + 'a>>;

pub(super) trait Exchange: Send + Sync {
    /// Sends `request` and reads at most `limit` bytes of the answer's body.
    fn exchange(&self, request: Request<Bytes>, limit: usize) -> Answer<'_>;
}

pub(super) struct Through<S, F> {
    /// Never called itself, only cloned: each exchange earns readiness of its own. The lock makes an `S` that is not
    /// `Sync` shareable, and is held for the clone only.
    service: Mutex<S>,
    body: F,
}

impl<S, F> Through<S, F> {
    pub(super) fn new(service: S, body: F) -> Self {
        Self { service: Mutex::new(service), body }
    }
}

impl<S, F, B, R> Exchange for Through<S, F>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send,
    S::Future: Send,
    S::Error: Into<BoxError>,
    F: Fn(Bytes) -> B + Send + Sync,
    R: Body + Send,
    R::Data: Send,
    R::Error: Into<BoxError>,
{
    fn exchange(&self, request: Request<Bytes>, limit: usize) -> Answer<'_> {
        Box::pin(async move {
            let mut service = lock(&self.service).clone();
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(unreachable)?;
            let answer = service.call(request.map(&self.body));
            // With the service goes its place in a pool or a queue, which others may be waiting for.
            drop(service);
            let (parts, body) = answer.await.map_err(unreachable)?.into_parts();
            if body.size_hint().lower() > limit as u64 {
                return Err(too_large(limit).with_status(parts.status));
            }
            match Limited::new(body, limit).collect().await {
                Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
                // Dropping the rest closes an HTTP/1.1 connection: it is not drained.
                Err(error) if error.is::<LengthLimitError>() => Err(too_large(limit).with_status(parts.status)),
                Err(error) => Err(unreachable(error).with_status(parts.status)),
            }
        })
    }
}

fn too_large(limit: usize) -> Error {
    Error::malformed(format!("its body is longer than {limit} bytes"))
}

/// The service under us failed. One error keeps its kind: the layer called itself.
fn unreachable(error: impl Into<BoxError>) -> Error {
    match error.into().downcast::<Error>() {
        Ok(ours) if ours.kind() == ErrorKind::Recursion => *ours,
        Ok(ours) => Error::caused_by(ErrorKind::Transport, ours),
        Err(theirs) => Error::caused_by(ErrorKind::Transport, theirs),
    }
}
