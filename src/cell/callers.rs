//! What those get who come for the token, and how the flight begins that brings it.

use std::sync::Arc;

use super::flight::Flight;
use super::terms::{Ahead, Found};
use super::{Age, Cell, Current, Failure, Ground, Outcome, Wait, aboard};
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::observe::{Event, Origin};
use crate::sync::{lock, try_lock};
use crate::transport::{Reason, Transport};

/// What a caller gets.
pub(crate) enum Acquired {
    Usable(Arc<Current>),
    Failed(Failure),
    Wait(Wait),
}

impl Cell {
    /// The token, or what to wait for: the flight that is under way, or one begun now through `transport`.
    ///
    /// Without a `transport` it goes through what the cell was connected to.
    pub(crate) fn acquire(self: &Arc<Self>, transport: impl FnOnce() -> Option<Transport>) -> Acquired {
        if let Some(fresh) = self.snapshot.load().as_ref().filter(|current| current.age(clock::now) == Age::Fresh) {
            return Acquired::Usable(fresh.clone());
        }
        let acquired = self.look_closer(transport);
        if let Acquired::Failed(failure) = &acquired {
            self.observer.tell(&Event::TurnedAway(&failure.error));
        }
        acquired
    }

    fn look_closer(self: &Arc<Self>, transport: impl FnOnce() -> Option<Transport>) -> Acquired {
        let found = lock(&self.ground).state.look(clock::now());
        match found {
            Found::Usable(current) => {
                self.renew_ahead(transport);
                Acquired::Usable(current)
            }
            Found::Failed(failure) => Acquired::Failed(failure),
            // To wait inside the grant for the grant would be to wait for oneself.
            _ if aboard::is_aboard(self.id()) => failed(ErrorKind::Recursion),
            Found::Flying(flight) => Acquired::Wait(self.wait(&flight)),
            // The transport is made outside of the lock: it clones the user's service.
            Found::Nothing => self.embark(transport(), Reason::Needed),
        }
    }

    /// What is left to one who waited for a flight that failed: the token that was there may have to do for a while longer,
    /// and an outcome that was collected late is no answer any more.
    pub(crate) fn after(self: &Arc<Self>, failure: Failure) -> Acquired {
        let snapshot = self.snapshot.load();
        match snapshot.as_ref().filter(|current| current.is_usable(clock::now)) {
            Some(current) => Acquired::Usable(current.clone()),
            None if !self.stands(&failure) => self.acquire(|| None),
            None => Acquired::Failed(failure),
        }
    }

    /// Whether a failure that was kept since then is still to be told.
    pub(crate) fn stands(&self, failure: &Failure) -> bool {
        lock(&self.ground).state.stands(failure, clock::now())
    }

    /// A newer token, whatever the clock and the back-off say: from the flight that is under way, or from one begun now.
    pub(crate) fn renew(self: &Arc<Self>) -> Acquired {
        if aboard::is_aboard(self.id()) { failed(ErrorKind::Recursion) } else { self.embark(None, Reason::Asked) }
    }

    /// Sees to the next token while this one serves. The caller does not wait for it, not even for the lock: whoever holds
    /// that does the same, or changes what there is to do.
    pub(crate) fn renew_ahead(self: &Arc<Self>, transport: impl FnOnce() -> Option<Transport>) {
        if aboard::is_aboard(self.id()) {
            return;
        }
        let Some(ahead) = try_lock(&self.ground).map(|ground| ground.state.ahead(clock::now())) else { return };
        match ahead {
            Ahead::Wait => {}
            Ahead::Flying(flight) => flight.help(),
            Ahead::Start => {
                if let Acquired::Wait(wait) = self.embark(transport(), Reason::Ahead) {
                    wait.help();
                }
            }
        }
    }

    /// Begins a flight, unless what is found under the lock makes that unnecessary: another may have been faster.
    fn embark(self: &Arc<Self>, transport: Option<Transport>, reason: Reason) -> Acquired {
        // Both are the user's: asked for before the lock, and dropped after it is free.
        let origin = Origin::here();
        let mut former = None;
        let flight = {
            let mut ground = lock(&self.ground);
            let now = clock::now();
            match (reason, ground.state.look(now)) {
                (Reason::Needed, Found::Usable(current)) => return Acquired::Usable(current),
                (Reason::Needed | Reason::Ahead, Found::Failed(failure)) => return Acquired::Failed(failure),
                (Reason::Ahead, Found::Usable(current)) if !matches!(ground.state.ahead(now), Ahead::Start) => {
                    return Acquired::Usable(current);
                }
                _ => {}
            }
            if let Some(flight) = ground.state.flight() {
                return Acquired::Wait(self.wait(flight));
            }
            if transport.is_some() {
                former = std::mem::replace(&mut ground.transport, transport);
            }
            let Some(transport) = ground.transport.clone() else {
                return failed(ErrorKind::NoTransport);
            };
            let flight = self.prepare(&ground, transport, reason, origin);
            ground.state.depart(flight.clone());
            flight
        };
        drop(former);
        let wait = self.wait(&flight);
        flight.launch();
        Acquired::Wait(wait)
    }

    fn wait(&self, flight: &Arc<Flight<Outcome>>) -> Wait {
        Wait::new(flight.waiter(), self.observer.clone())
    }

    fn prepare(
        self: &Arc<Self>,
        ground: &Ground,
        transport: Transport,
        reason: Reason,
        origin: Origin,
    ) -> Arc<Flight<Outcome>> {
        let departure = ground.state.departure(reason);
        let (id, grant, previous) = (self.id(), self.grant.clone(), departure.previous.clone());
        // Weak, for a flight that nobody drives stays in the cell: it would keep the cell, and the cell it.
        let cell = Arc::downgrade(self);
        let (limits, cause, observer) = (ground.settings.limits, ground.state.cause(reason), self.observer.clone());
        Flight::new(async move {
            // Not before it is polled: here we are under the lock.
            let log = observer.open(cause, origin);
            let transport = transport.for_flight(limits, reason, cell.clone(), log.calls());
            let flown = async {
                let outcome = aboard::board(id, grant, previous, transport).await;
                match cell.upgrade() {
                    Some(cell) => cell.land(&departure, outcome, &log),
                    None => {
                        Err(Failure::passing(Error::new(ErrorKind::NoTransport, "all that used this token is gone")))
                    }
                }
            };
            log.keep(flown).await
        })
    }
}

fn failed(kind: ErrorKind) -> Acquired {
    Acquired::Failed(Failure::passing(Error::new(kind, "")))
}
