//! The token cell: one token that many share, and at most one flight at a time that gets the next.
//!
//! ```text
//!             obtain ok                    time passes, or invalidated
//!  Empty ──────────────▶ Fresh ──────────────────────────────────▶ Expired (callers wait for the flight)
//!    ▲  │                  ▲                                           │
//!    │  │ fails            │ ok                                        │ fails
//!    │  └──▶ Failed ───────┘  ◀────────────────────────────────────────┘
//!    └── forget
//! ```
//!
//! - **Fresh**: a caller looks at a shared snapshot and at the clock, and nothing else.
//! - **Empty**, **Expired**: every caller waits for the same flight and gets the same outcome.
//! - **Failed**: until the back-off has passed, callers get the remembered error; the next one after it tries again.

mod aboard;
mod board;
mod flight;
mod freshness;
mod outcome;
mod refusals;
mod state;
mod tokens;

#[cfg(all(test, tower_oauth2_loom))]
mod loom_models;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use self::flight::{Flight, Waiter};
use self::freshness::Policy;
use self::state::{Found, State};
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::grant::{AnyGrant, Grant};
use crate::random;
use crate::sync::{AtomicBool, Mutex, Ordering, lock};
use crate::token::Token;
use crate::transport::{Limits, Transport};

pub(crate) use self::outcome::{Current, Failure};
pub use self::tokens::Tokens;

type Outcome = Result<Arc<Current>, Failure>;
pub(crate) type Wait = Waiter<Outcome>;

pub(crate) struct Cell {
    /// What readers see: the newest token unless it was invalidated. Written under the lock of `ground`.
    snapshot: ArcSwapOption<Current>,
    /// Whether a refusal is remembered that an accepted request would end; else a response costs one look at this.
    in_doubt: AtomicBool,
    /// Whether `ground` has a transport, for those who could bring one. Set once.
    connected: AtomicBool,
    ground: Mutex<Ground>,
    grant: Arc<dyn AnyGrant>,
    changes: watch::Sender<Option<Token>>,
}

/// What the lock is for. Nothing of the user's runs while it is held, and nobody waits.
struct Ground {
    state: State<Arc<Flight<Outcome>>>,
    settings: Settings,
    transport: Option<Transport>,
}

/// The numbers that a user may change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
}

/// What a caller gets.
pub(crate) enum Acquired {
    Fresh(Arc<Current>),
    Failed(Failure),
    Wait(Wait),
}

impl Cell {
    pub(crate) fn new(grant: impl Grant) -> Arc<Self> {
        Arc::new(Self {
            snapshot: ArcSwapOption::empty(),
            in_doubt: AtomicBool::new(false),
            connected: AtomicBool::new(false),
            ground: Mutex::new(Ground { state: State::new(), settings: Settings::default(), transport: None }),
            grant: Arc::new(grant),
            changes: watch::Sender::new(None),
        })
    }

    pub(crate) fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.ground).settings);
    }

    /// Whether a handle of this cell can make a token call.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Gives the handles something to send token calls through.
    pub(crate) fn connect(&self, transport: Transport) {
        lock(&self.ground).transport = Some(transport);
        self.connected.store(true, Ordering::Release);
    }

    /// The hot path: the token if it is fresh, with no lock and nothing written.
    pub(crate) fn with_fresh<R>(&self, look: impl FnOnce(&Current) -> R) -> Option<R> {
        let snapshot = self.snapshot.load();
        snapshot.as_ref().filter(|current| current.is_fresh(clock::now)).map(|current| look(current))
    }

    /// Whether `current` is the newest token, and was not invalidated or forgotten.
    pub(crate) fn is_newest(&self, current: &Arc<Current>) -> bool {
        self.snapshot.load().as_ref().is_some_and(|newest| Arc::ptr_eq(newest, current))
    }

    /// The token, or what to wait for: the flight that is under way, or one begun now through `transport`.
    ///
    /// Without a `transport` it goes through what the cell was connected to.
    pub(crate) fn acquire(self: &Arc<Self>, transport: impl FnOnce() -> Option<Transport>) -> Acquired {
        let found = lock(&self.ground).state.look(clock::now());
        match found {
            Found::Fresh(current) => Acquired::Fresh(current),
            Found::Failed(failure) => Acquired::Failed(failure),
            // To wait inside the grant for the grant would be to wait for oneself.
            _ if aboard::is_aboard(self.id()) => failed(ErrorKind::Recursion),
            Found::Flying(flight) => Acquired::Wait(flight.waiter()),
            // The transport is made outside of the lock: it clones the user's service.
            Found::Nothing => self.embark(transport(), false),
        }
    }

    /// A newer token, whatever the clock and the back-off say: from the flight that is under way, or from one begun now.
    pub(crate) fn renew(self: &Arc<Self>) -> Acquired {
        if aboard::is_aboard(self.id()) { failed(ErrorKind::Recursion) } else { self.embark(None, true) }
    }

    /// Begins a flight, unless what is found under the lock makes that unnecessary: another may have been faster.
    fn embark(self: &Arc<Self>, transport: Option<Transport>, forced: bool) -> Acquired {
        let flight = {
            let mut ground = lock(&self.ground);
            match ground.state.look(clock::now()) {
                Found::Fresh(current) if !forced => return Acquired::Fresh(current),
                Found::Failed(failure) if !forced => return Acquired::Failed(failure),
                _ => {}
            }
            if let Some(flight) = ground.state.flight() {
                return Acquired::Wait(flight.waiter());
            }
            if transport.is_some() {
                ground.transport = transport;
            }
            let Some(transport) = ground.transport.clone() else {
                return failed(ErrorKind::NoTransport);
            };
            let flight = self.prepare(&ground, transport, forced);
            ground.state.depart(flight.clone());
            flight
        };
        let wait = flight.waiter();
        flight.launch();
        Acquired::Wait(wait)
    }

    fn prepare(self: &Arc<Self>, ground: &Ground, transport: Transport, forced: bool) -> Arc<Flight<Outcome>> {
        let departure = ground.state.departure();
        let transport = transport.for_flight(ground.settings.limits, forced);
        let (id, grant) = (self.id(), self.grant.clone());
        // Weak, for a flight that nobody drives stays in the cell: it would keep the cell, and the cell it.
        let cell = Arc::downgrade(self);
        Flight::new(async move {
            let grant = async move { grant.obtain_boxed(departure.previous, transport).await };
            let outcome = aboard::board(id, grant).await;
            match cell.upgrade() {
                Some(cell) => cell.land(departure.epoch, outcome),
                None => Err(Failure::passing(Error::new(ErrorKind::NoTransport, "all that used this token is gone"))),
            }
        })
    }

    fn land(&self, epoch: u64, outcome: Result<Token, Error>) -> Outcome {
        let jitter = random::unit();
        self.change(|ground| ground.state.land(epoch, outcome, clock::now(), &ground.settings.policy, jitter))
    }

    fn set(&self, token: Token) {
        self.change(|ground| ground.state.set(token, clock::now(), &ground.settings.policy));
    }

    fn forget(&self) {
        self.change(|ground| ground.state.forget());
    }

    fn invalidate(&self) {
        self.change(|ground| ground.state.invalidate());
    }

    /// A server has refused the token of `generation`, or accepted it.
    pub(crate) fn hear(&self, generation: u64, refused: bool) {
        if refused {
            let jitter = random::unit();
            self.change(|ground| ground.state.refuse(generation, clock::now(), &ground.settings.policy, jitter));
        } else if self.in_doubt.load(Ordering::Relaxed) {
            self.change(|ground| ground.state.accept(generation));
        }
    }

    /// The newest token that was not invalidated, fresh or not.
    fn peek(&self) -> Option<Token> {
        self.snapshot.load().as_ref().map(|current| current.token.clone())
    }

    fn changes(&self) -> watch::Receiver<Option<Token>> {
        self.changes.subscribe()
    }

    /// Changes the state, then shows it: to readers under the lock, to watchers after it, for they run code of their own.
    fn change<R>(&self, change: impl FnOnce(&mut Ground) -> R) -> R {
        let result = {
            let mut ground = lock(&self.ground);
            let result = change(&mut ground);
            self.snapshot.store(ground.state.usable().cloned());
            self.in_doubt.store(ground.state.is_in_doubt(), Ordering::Relaxed);
            result
        };
        // Each shows the newest there is, not what it changed itself: the last one to get here shows the last change.
        self.changes.send_if_modified(|shown| {
            let newest = self.peek();
            let modified = *shown != newest;
            *shown = newest;
            modified
        });
        result
    }

    /// What tells cells apart while they live.
    fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

fn failed(kind: ErrorKind) -> Acquired {
    Acquired::Failed(Failure::passing(Error::new(kind, "")))
}
