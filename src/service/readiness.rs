//! `poll_ready` without a fresh token: waits for a token before it polls the inner service.

use std::task::{Context, Poll, ready};

use super::oauth2::{OAuth2, Readiness};
use crate::cell::{Acquire, BoundedWait, Freshness, Waited};
use crate::clock;
use crate::route::TokenRoute;

impl<S, G, T> OAuth2<S, G, T> {
    /// Waits for a token. Returns `false` if no token can be obtained. Then `call` returns the error.
    #[inline(never)]
    pub(super) fn poll_token<B>(&mut self, cx: &mut Context<'_>) -> Poll<bool>
    where
        T: TokenRoute<S, B>,
    {
        loop {
            match &mut self.readiness {
                Readiness::Idle => {
                    if self.check_token::<B>() {
                        self.has_token = true;
                        return Poll::Ready(true);
                    }
                }
                Readiness::Waiting(waiting) => {
                    let (shared, inner) = (&self.shared, &self.inner);
                    self.readiness = match ready!(waiting.poll(cx)) {
                        Waited::Token(token) if !token.is_valid(clock::now) => Readiness::ArrivedStale(token),
                        Waited::Failed(error) => Readiness::Failed(Box::new(error)),
                        // The next check finds the token.
                        Waited::Token(_) => Readiness::Idle,
                        // The token was forgotten, so the request is sent without one.
                        Waited::Superseded if shared.sends_without_token() => Readiness::Idle,
                        Waited::Superseded => match shared.cell.acquire(None, || Some(shared.route.transport(inner))) {
                            Acquire::Token(_) => Readiness::Idle,
                            Acquire::Failed(error) => Readiness::Failed(Box::new(error)),
                            Acquire::Wait(wait_future) => {
                                waiting.restart(wait_future);
                                continue;
                            }
                        },
                    };
                }
                Readiness::ArrivedStale(_) => return Poll::Ready(true),
                Readiness::Failed(_) => return Poll::Ready(false),
            }
        }
    }

    /// Returns whether there is a token to send, or none is needed. If not, sets the new readiness.
    fn check_token<B>(&mut self) -> bool
    where
        T: TokenRoute<S, B>,
    {
        let (shared, inner) = (&self.shared, &self.inner);
        shared.cell.register_transport(&shared.transport, || shared.route.transport(inner));
        let transport = || Some(shared.route.transport(inner));
        match shared.cell.check_freshness() {
            Freshness::Fresh => true,
            Freshness::Stale if shared.sends_without_token() => true,
            Freshness::Stale => match shared.cell.acquire(None, transport) {
                Acquire::Token(_) => true,
                Acquire::Failed(error) => {
                    self.readiness = Readiness::Failed(Box::new(error));
                    false
                }
                Acquire::Wait(wait_future) => {
                    self.readiness = Readiness::Waiting(Box::new(BoundedWait::new(wait_future)));
                    false
                }
            },
            Freshness::Due => {
                shared.cell.refresh_ahead(transport);
                true
            }
        }
    }
}
