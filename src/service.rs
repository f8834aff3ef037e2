//! The service: it is ready when there is a token, and puts the token into each request.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use tower_service::Service;

use crate::attach::{self, Attach};
use crate::cell::{Acquired, Age, Cell, Current, Failure, Pass, Sent, Tokens, Wait};
use crate::clock;
use crate::error::{BoxError, Error, ErrorKind};
use crate::future::ResponseFuture;
use crate::route::{ThroughInner, TokenRoute};

/// A service whose requests carry a token; made by [`OAuth2Layer`](crate::OAuth2Layer).
///
/// It is ready when there is a token and the inner service is ready. A token that cannot be had is told by `call`, never
/// by `poll_ready`: to tower a service that fails there is dead for ever.
///
/// # Errors
///
/// The inner service's own pass through as they are. The layer's own are an [`Error`](crate::Error), to downcast to.
///
/// # Cancel safety
///
/// Dropped while it waits, it takes nothing from others: a token call runs to its end. See [readiness](crate::docs::readiness).
pub struct OAuth2<S, G, T = ThroughInner> {
    inner: S,
    cell: Arc<Cell>,
    attach: Arc<Attach>,
    route: T,
    readiness: Readiness,
    /// There was a token that serves, and what is left is the inner service. It stands beside `readiness`, which is idle then,
    /// so that a request with a fresh token has nothing to drop.
    is_fresh: bool,
    /// The token of the last request.
    pass: Option<Pass>,
    grant: PhantomData<fn() -> G>,
}

/// How far `poll_ready` has come. `call` takes it, and clones start without.
enum Readiness {
    /// Nothing was done.
    Idle,
    /// A token call is under way. The inner service was not asked yet, so nothing of it is held meanwhile.
    Waiting(Wait),
    /// The token that was waited for was not fresh even on arrival. It serves this request, and nobody loops.
    Stale(Arc<Current>),
    /// There is no token. The inner service was not asked, and `call` tells.
    Failed(Failure),
}

impl<S, G, T> OAuth2<S, G, T> {
    pub(crate) fn new(inner: S, cell: Arc<Cell>, attach: Arc<Attach>, route: T) -> Self {
        Self { inner, cell, attach, route, readiness: Readiness::Idle, is_fresh: false, pass: None, grant: PhantomData }
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

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if !self.is_fresh {
            if matches!(self.readiness, Readiness::Idle) && self.fresh().is_some() {
                self.is_fresh = true;
            } else if !ready!(self.poll_token::<B>(cx)) {
                return Poll::Ready(Ok(()));
            }
        }
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let sent = match self.attach_fresh(&mut request) {
            Some(sent) => Some(sent),
            None => match self.prepare(&mut request) {
                Next::Send(sent) => sent,
                Next::Fail(error) => return ResponseFuture::failed(error, &request),
                Next::Late(acquired) => {
                    let token = acquired.map(|acquired| (self.cell.clone(), acquired));
                    return ResponseFuture::late(self.inner.clone(), request, token);
                }
            },
        };
        ResponseFuture::sending(self.inner.call(request), sent)
    }
}

/// What `call` does with a request.
enum Next {
    /// It goes to the inner service, which is ready.
    Send(Option<Sent>),
    /// It does not go anywhere.
    Fail(Error),
    /// It goes when the inner service is ready, and when the token is there, if it needs one.
    Late(Option<Acquired>),
}

impl<S, G, T> OAuth2<S, G, T> {
    /// The token of the last request, if it is still the newest, and fresh.
    #[inline]
    fn fresh(&self) -> Option<&Pass> {
        self.pass.as_ref().filter(|pass| pass.is_fresh())
    }

    /// The hot path of `call`: a fresh token, and a request that plainly is to carry it.
    #[inline]
    fn attach_fresh<B>(&mut self, request: &mut Request<B>) -> Option<Sent> {
        let is_fresh = std::mem::replace(&mut self.is_fresh, false);
        let pass = self.fresh().filter(|_| is_fresh && self.attach.plainly_wants(request.uri()))?;
        attach::insert_alone(request, &pass.header).then_some(pass.origin)
    }

    /// Waits until it is clear whether there is a token. `false` is for one that `call` tells there is not.
    #[inline(never)]
    fn poll_token<B>(&mut self, cx: &mut Context<'_>) -> Poll<bool>
    where
        T: TokenRoute<S, B>,
    {
        loop {
            let found = match &mut self.readiness {
                Readiness::Idle => self.look::<B>(),
                Readiness::Waiting(wait) => {
                    let outcome = ready!(Pin::new(wait).poll(cx));
                    self.readiness = Readiness::Idle;
                    let now = clock::now();
                    match outcome {
                        Ok(current) if current.is_usable(|| now) => Ok(()),
                        Ok(current) if current.has_grace(now) => {
                            self.readiness = Readiness::Stale(current);
                            return Poll::Ready(true);
                        }
                        // It came long ago: whoever polls us left off in between.
                        Ok(_) => continue,
                        Err(failure) => Err(self.cell.after(failure)),
                    }
                }
                Readiness::Stale(_) => return Poll::Ready(true),
                Readiness::Failed(_) => return Poll::Ready(false),
            };
            match found {
                Ok(()) | Err(Acquired::Usable(_)) => {
                    self.is_fresh = true;
                    return Poll::Ready(true);
                }
                Err(Acquired::Failed(failure)) => self.readiness = Readiness::Failed(failure),
                Err(Acquired::Wait(wait)) => self.readiness = Readiness::Waiting(wait),
            }
        }
    }

    /// All but the hot path: no fresh token, or a request that needs a closer look.
    #[inline(never)]
    fn prepare<B>(&mut self, request: &mut Request<B>) -> Next
    where
        S: Clone,
        T: TokenRoute<S, B>,
    {
        let readiness = std::mem::replace(&mut self.readiness, Readiness::Idle);
        let inner_is_ready = match &readiness {
            // Even a request that needs no token: it is the token call that came back.
            Readiness::Failed(failure) if failure.error.kind() == ErrorKind::Recursion => {
                return Next::Fail(failure.error.clone());
            }
            readiness => !matches!(readiness, Readiness::Failed(_)),
        };
        match self.attach.wants(request) {
            Err(error) => {
                self.release();
                return Next::Fail(error);
            }
            Ok(false) => return if inner_is_ready { Next::Send(None) } else { Next::Late(None) },
            Ok(true) => {}
        }
        let mut insert = |current: &Current| {
            attach::insert(request, current.token.header());
            self.cell.sent(current)
        };
        // The newest token: since `poll_ready` it may have been renewed, or have expired.
        if inner_is_ready && let Some(sent) = self.cell.with_usable(&mut insert) {
            return Next::Send(Some(sent));
        }
        match readiness {
            Readiness::Stale(current) if current.has_grace(clock::now()) && self.cell.is_newest(current.generation) => {
                Next::Send(Some(insert(&current)))
            }
            Readiness::Failed(failure) if self.cell.stands(&failure) && self.cell.age() == Age::Stale => {
                Next::Fail(failure.error)
            }
            // The token has expired since `poll_ready`, or the back-off has passed: readiness went stale in a `ReadyCache`,
            // say. The future waits for a new one, and holds nothing of the inner service meanwhile.
            _ => {
                self.release();
                match self.cell.acquire(|| Some(self.route.transport(&self.inner))) {
                    Acquired::Failed(failure) => Next::Fail(failure.error),
                    acquired => Next::Late(Some(acquired)),
                }
            }
        }
    }

    /// Whether there is a token that serves, and if not what to do about it.
    fn look<B>(&mut self) -> Result<(), Acquired>
    where
        T: TokenRoute<S, B>,
    {
        if !self.cell.is_connected() {
            self.cell.connect(self.route.transport(&self.inner));
        }
        let transport = || Some(self.route.transport(&self.inner));
        match self.cell.look() {
            Ok(pass) => self.pass = Some(pass),
            Err(Age::Stale) => return Err(self.cell.acquire(transport)),
            Err(_) => self.cell.renew_ahead(transport),
        }
        Ok(())
    }

    /// Lets a readied inner service go, with the permit or the place in a queue that it holds: others may need it, the
    /// token call among them.
    fn release(&mut self)
    where
        S: Clone,
    {
        self.inner = self.inner.clone();
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
