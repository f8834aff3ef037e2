//! The service: it is ready when there is a token, and puts the token into each request.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use tower_service::Service;

use crate::attach::Attach;
use crate::cell::{Acquired, Age, Cell, Current, Failure, Tokens, Wait};
use crate::clock;
use crate::error::{BoxError, ErrorKind};
use crate::future::{ResponseFuture, Sent};
use crate::route::{ThroughInner, TokenRoute};

/// A service whose requests carry a token; made by [`OAuth2Layer`](crate::OAuth2Layer).
///
/// It is ready when there is a token and the inner service is ready. A token that cannot be had is told by `call`, never
/// by `poll_ready`: to tower a service that fails there is dead for ever.
pub struct OAuth2<S, G, T = ThroughInner> {
    inner: S,
    cell: Arc<Cell>,
    attach: Arc<Attach>,
    route: T,
    readiness: Readiness,
    grant: PhantomData<fn() -> G>,
}

/// How far `poll_ready` has come. `call` takes it, and clones start without.
enum Readiness {
    /// Nothing was done.
    Idle,
    /// A token call is under way. The inner service was not asked yet, so nothing of it is held meanwhile.
    Waiting(Wait),
    /// There was a token that serves. What is left is the inner service.
    Fresh,
    /// The token that was waited for was not fresh even on arrival. It serves this request, and nobody loops.
    Stale(Arc<Current>),
    /// There is no token. The inner service was not asked, and `call` tells.
    Failed(Failure),
}

impl From<Acquired> for Readiness {
    fn from(acquired: Acquired) -> Self {
        match acquired {
            Acquired::Usable(_) => Self::Fresh,
            Acquired::Failed(failure) => Self::Failed(failure),
            Acquired::Wait(wait) => Self::Waiting(wait),
        }
    }
}

impl<S, G, T> OAuth2<S, G, T> {
    pub(crate) fn new(inner: S, cell: Arc<Cell>, attach: Arc<Attach>, route: T) -> Self {
        Self { inner, cell, attach, route, readiness: Readiness::Idle, grant: PhantomData }
    }

    /// A handle to the token that all services of the layer share.
    pub fn tokens(&self) -> Tokens {
        Tokens::new(self.cell.clone(), self.attach.clone())
    }
}

impl<S, G, T, B, R> Service<Request<B>> for OAuth2<S, G, T>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    T: TokenRoute<S, B>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            match &mut self.readiness {
                Readiness::Idle => self.readiness = self.look::<B>(),
                Readiness::Waiting(wait) => {
                    let outcome = ready!(Pin::new(wait).poll(cx));
                    let now = clock::now();
                    self.readiness = match outcome {
                        Ok(current) if current.is_usable(|| now) => Readiness::Fresh,
                        Ok(current) if current.has_grace(now) => Readiness::Stale(current),
                        // It came long ago: whoever polls us left off in between.
                        Ok(_) => Readiness::Idle,
                        Err(failure) => self.cell.after(failure).into(),
                    }
                }
                Readiness::Fresh | Readiness::Stale(_) => return self.inner.poll_ready(cx).map_err(Into::into),
                Readiness::Failed(_) => return Poll::Ready(Ok(())),
            }
        }
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let readiness = std::mem::replace(&mut self.readiness, Readiness::Idle);
        let inner_is_ready = match &readiness {
            // Even a request that needs no token: it is the token call that came back.
            Readiness::Failed(failure) if failure.error.kind() == ErrorKind::Recursion => {
                return ResponseFuture::failed(failure.error.clone(), &request);
            }
            readiness => !matches!(readiness, Readiness::Failed(_)),
        };
        match self.attach.wants(&request) {
            Err(error) => {
                self.release();
                return ResponseFuture::failed(error, &request);
            }
            Ok(false) if inner_is_ready => return ResponseFuture::sending(self.inner.call(request), None),
            Ok(false) => return ResponseFuture::late(self.inner.clone(), request),
            Ok(true) => {}
        }
        // The newest token: since `poll_ready` it may have been renewed, or have expired.
        if inner_is_ready
            && let Some(sent) = self.cell.with_usable(|current| Sent::with(&mut request, current, &self.cell))
        {
            return ResponseFuture::sending(self.inner.call(request), Some(sent));
        }
        match readiness {
            Readiness::Stale(current) if current.has_grace(clock::now()) && self.cell.is_newest(current.generation) => {
                let sent = Sent::with(&mut request, &current, &self.cell);
                ResponseFuture::sending(self.inner.call(request), Some(sent))
            }
            Readiness::Failed(failure) if self.cell.stands(&failure) && self.cell.age() == Age::Stale => {
                ResponseFuture::failed(failure.error, &request)
            }
            _ => self.send_late(request),
        }
    }
}

impl<S, G, T> OAuth2<S, G, T> {
    fn look<B>(&self) -> Readiness
    where
        T: TokenRoute<S, B>,
    {
        if !self.cell.is_connected() {
            self.cell.connect(self.route.transport(&self.inner));
        }
        let transport = || Some(self.route.transport(&self.inner));
        match self.cell.age() {
            Age::Fresh => {}
            Age::Due => self.cell.renew_ahead(transport),
            Age::Stale => return self.cell.acquire(transport).into(),
        }
        Readiness::Fresh
    }

    /// Lets a readied inner service go, with the permit or the place in a queue that it holds: others may need it, the
    /// token call among them.
    fn release(&mut self)
    where
        S: Clone,
    {
        self.inner = self.inner.clone();
    }

    /// The token has expired since `poll_ready`, or the back-off has passed: readiness went stale in a `ReadyCache`, say. The future
    /// waits for a new one, and holds nothing of the inner service meanwhile.
    fn send_late<B>(&mut self, request: Request<B>) -> ResponseFuture<S::Future, S, B>
    where
        S: Service<Request<B>> + Clone,
        T: TokenRoute<S, B>,
    {
        self.release();
        match self.cell.acquire(|| Some(self.route.transport(&self.inner))) {
            Acquired::Failed(failure) => ResponseFuture::failed(failure.error, &request),
            acquired => ResponseFuture::wanting(self.inner.clone(), request, acquired, self.cell.clone()),
        }
    }
}

/// The clone is not ready: readiness counts once.
impl<S: Clone, G, T: Clone> Clone for OAuth2<S, G, T> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.cell.clone(), self.attach.clone(), self.route.clone())
    }
}

impl<S: fmt::Debug, G, T> fmt::Debug for OAuth2<S, G, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2")
            .field("inner", &self.inner)
            .field("grant", &std::any::type_name::<G>())
            .field("tokens", &self.tokens())
            .finish_non_exhaustive()
    }
}
