//! What `call` does with a request that is not the plain case.

use http::Request;
use tower_service::Service;

use super::OAuth2;
use super::readiness::Readiness;
use crate::attach;
use crate::cell::{Acquired, Age, Sent};
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::future::ResponseFuture;
use crate::route::TokenRoute;

/// What is done with a request.
enum Next {
    /// It goes to the inner service, which is ready.
    Send(Option<Sent>),
    /// It does not go anywhere.
    Fail(Error),
    /// It goes when the inner service is ready, and when the token is there, if it needs one.
    Late(Option<Acquired>),
}

impl<S, G, T> OAuth2<S, G, T> {
    /// No fresh token, or a request that needs a closer look. Out of line, so that the hot path is short where it is used.
    #[inline(never)]
    pub(super) fn call_with_care<B>(&mut self, mut request: Request<B>) -> ResponseFuture<S::Future, S, B>
    where
        S: Service<Request<B>> + Clone,
        T: TokenRoute<S, B>,
    {
        self.is_fresh = false;
        match self.prepare(&mut request) {
            Next::Send(sent) => ResponseFuture::sending(self.inner.call(request), sent),
            Next::Fail(error) => ResponseFuture::failed(error, &request),
            Next::Late(acquired) => {
                let token = acquired.map(|acquired| (self.cell.clone(), acquired));
                ResponseFuture::late(self.inner.clone(), request, token)
            }
        }
    }

    /// The request brought an `Authorization` of its own, beside which ours was put.
    #[cold]
    #[inline(never)]
    pub(super) fn call_with_its_own<B>(&mut self, mut request: Request<B>) -> ResponseFuture<S::Future, S, B>
    where
        S: Service<Request<B>> + Clone,
        T: TokenRoute<S, B>,
    {
        attach::remove_last(&mut request);
        self.call_with_care(request)
    }

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
        if inner_is_ready && self.pass.is_fresh() {
            attach::insert(request, &self.pass.header);
            return Next::Send(Some(self.pass.sent));
        }
        // The newest token: since `poll_ready` it may have been renewed, or have expired.
        if inner_is_ready && let Some(sent) = self.cell.with_usable(|current| Sent::with(request, current, &self.cell))
        {
            return Next::Send(Some(sent));
        }
        match readiness {
            Readiness::Stale(current) if current.has_grace(clock::now()) && self.cell.is_newest(current.generation) => {
                Next::Send(Some(Sent::with(request, &current, &self.cell)))
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

    /// Lets a readied inner service go, with the permit or the place in a queue that it holds: others may need it, the
    /// token call among them.
    fn release(&mut self)
    where
        S: Clone,
    {
        self.inner = self.inner.clone();
    }
}
