//! What `poll_ready` waits for before it asks the inner service: the token.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::OAuth2;
use crate::cell::{Acquired, Age, Current, Failure, Wait};
use crate::clock;
use crate::route::TokenRoute;

/// How far `poll_ready` has come. `call` takes it, and clones start without.
pub(super) enum Readiness {
    /// Nothing was done.
    Idle,
    /// A token call is under way. The inner service was not asked yet, so nothing of it is held meanwhile.
    Waiting(Wait),
    /// The token that was waited for was not fresh even on arrival. It serves this request, and nobody loops.
    Stale(Arc<Current>),
    /// There is no token. The inner service was not asked, and `call` tells. Boxed, for it is large and rare.
    Failed(Box<Failure>),
}

impl<S, G, T> OAuth2<S, G, T> {
    /// Waits until it is clear whether there is a token. `false` is for one that `call` tells there is not.
    #[inline(never)]
    pub(super) fn poll_token<B>(&mut self, cx: &mut Context<'_>) -> Poll<bool>
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
                Err(Acquired::Failed(failure)) => self.readiness = Readiness::Failed(Box::new(failure)),
                Err(Acquired::Wait(wait)) => self.readiness = Readiness::Waiting(wait),
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
            Ok(pass) => self.pass = pass,
            Err(Age::Stale) => return Err(self.cell.acquire(transport)),
            Err(_) => self.cell.renew_ahead(transport),
        }
        Ok(())
    }
}
