//! The token cell: one token that many share, and at most one flight at a time that gets the next.
//!
//! ```text
//!             obtain ok                    time passes                       time passes
//!  Empty ──────────────▶ Fresh ──────────────────────────▶ Due ───────────────────────────▶ Expired
//!    ▲  │                  ▲                                │ served, while one flight        │ callers wait
//!    │  │ fails            │ ok                             │ brings the next                 │ for the flight
//!    │  └──▶ Failed ───────┤ ◀──────────────────────────────┴─────────────────────────────────┤
//!    │          ▲          │                                                                  │ fails
//!    │          └──────────┼──────────────────────────────────────────────────────────────────┘
//!    └── forget            └── invalidated, or refused by a server: as Expired
//! ```
//!
//! - **Fresh**: a caller looks at the beacon, which shows it; or at a shared snapshot and at the clocks.
//! - **Due**: the token is served, and the first caller who sees it begins the flight that renews it. When that fails, the
//!   token holds out to its very end, and the next try waits for the back-off.
//! - **Empty**, **Expired**: every caller waits for the same flight and gets the same outcome.
//! - **Failed**: until the back-off has passed, callers get the remembered error; the next one after it tries again.
//!
//! | file | what it is |
//! | --- | --- |
//! | `state`, `terms` | the transitions: pure, with the time and the dice as arguments |
//! | `freshness`, `refusals` | the numbers: due, expired, back-off, and when a refused token is renewed |
//! | `outcome` | a token or a failure, as those see it who waited for it |
//! | `beacon`, `light`, `passes` | the hot path: whether the token is fresh, and the header to send |
//! | `callers` | what a caller of the cell gets, and how a flight begins |
//! | `changes` | how a flight, a server or the user changes the state, and who is told |
//! | `flight`, `board` | one piece of work that many wait for |
//! | `wait` | one who waits, as those see it who watch |
//! | `aboard` | around the grant: its panics, and its calls back into its own cell |
//! | `tokens` | the public handle |

mod aboard;
mod beacon;
mod board;
mod callers;
mod changes;
mod flight;
mod freshness;
mod light;
mod outcome;
mod passes;
mod refusals;
mod state;
mod terms;
mod tokens;
mod wait;

#[cfg(all(test, tower_oauth2_loom))]
mod loom_models;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use self::beacon::Beacon;
use self::flight::Flight;
use self::passes::Passes;
use self::state::State;
use crate::clock;
use crate::grant::{AnyGrant, Grant};
use crate::observe::Observer;
use crate::sync::{AtomicBool, Mutex, Ordering, lock};
use crate::token::Token;
use crate::transport::{Limits, Transport};

pub(crate) use self::callers::Acquired;
pub(crate) use self::changes::Refusal;
pub(crate) use self::freshness::Policy;
pub(crate) use self::outcome::{Age, Current, Failure};
pub(crate) use self::passes::{Pass, Sent};
pub use self::tokens::Tokens;
pub(crate) use self::wait::Wait;

type Outcome = Result<Arc<Current>, Failure>;
type FlightState = State<Arc<Flight<Outcome>>>;

pub(crate) struct Cell {
    /// What readers see: the newest token unless it was invalidated. Written under the lock of `ground`.
    snapshot: ArcSwapOption<Current>,
    /// What is seen of it without it: whether that token is fresh.
    beacon: &'static Beacon,
    timer: light::Timer,
    passes: Passes,
    /// Whether a refusal is remembered that an accepted request would end.
    in_doubt: AtomicBool,
    /// Whether `ground` has a transport, for those who could bring one. Set once.
    connected: AtomicBool,
    ground: Mutex<Ground>,
    grant: Arc<dyn AnyGrant>,
    /// What else counts as a refusal, by the user's word.
    refusal: ArcSwapOption<Box<Refusal>>,
    changes: watch::Sender<Option<Token>>,
    observer: Observer,
}

/// What the lock is for. Nothing of the user's runs while it is held, and nobody waits.
struct Ground {
    state: FlightState,
    settings: Settings,
    transport: Option<Transport>,
}

/// The numbers that a user may change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
}

impl Cell {
    pub(crate) fn new(grant: impl Grant) -> Arc<Self> {
        Arc::new_cyclic(|cell| Self {
            snapshot: ArcSwapOption::empty(),
            beacon: Beacon::of(cell.clone()),
            timer: light::Timer::default(),
            passes: Passes::default(),
            in_doubt: AtomicBool::new(false),
            connected: AtomicBool::new(false),
            ground: Mutex::new(Ground {
                state: State::counting_from(beacon::first_generation()),
                settings: Settings::default(),
                transport: None,
            }),
            observer: Observer::new(grant.name()),
            grant: Arc::new(grant),
            refusal: ArcSwapOption::empty(),
            changes: watch::Sender::new(None),
        })
    }

    pub(crate) fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.ground).settings);
    }

    /// Gives it a name for those who watch.
    pub(crate) fn set_name(&self, name: String) {
        self.observer.set_name(name);
    }

    /// Whether a handle of this cell can make a token call.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Gives the handles something to send token calls through.
    pub(crate) fn connect(&self, transport: Transport) {
        // Dropped after the lock is free, for it is the user's.
        let former = lock(&self.ground).transport.replace(transport);
        self.connected.store(true, Ordering::Release);
        drop(former);
    }

    /// The token if it serves, with no lock and nothing written.
    pub(crate) fn with_usable<R>(&self, look: impl FnOnce(&Current) -> R) -> Option<R> {
        let snapshot = self.snapshot.load();
        snapshot.as_ref().filter(|current| current.is_usable(clock::now)).map(|current| look(current))
    }

    /// What a request needs now, and as long as the beacon shows that it is fresh. `Err` tells how old the token is, if it is not:
    /// one that is not there is stale.
    pub(crate) fn look(&self) -> Result<Pass, Age> {
        let snapshot = self.snapshot.load();
        let Some(current) = snapshot.as_ref() else { return Err(Age::Stale) };
        if self.beacon.fresh() != current.generation {
            let now = clock::now();
            match current.age(|| now) {
                Age::Fresh => self.light(current, now),
                age => return Err(age),
            }
        }
        Ok(self.pass(current))
    }

    /// How old the token is; one that is not there is stale.
    pub(crate) fn age(&self) -> Age {
        self.snapshot.load().as_ref().map_or(Age::Stale, |current| current.age(clock::now))
    }

    /// Whether the token of `generation` is the newest, and was not invalidated or forgotten.
    pub(crate) fn is_newest(&self, generation: u64) -> bool {
        self.snapshot.load().as_ref().is_some_and(|newest| newest.generation == generation)
    }

    /// The newest token that was not invalidated, whatever its age.
    fn peek(&self) -> Option<Token> {
        self.snapshot.load().as_ref().map(|current| current.token.clone())
    }

    fn watch(&self) -> watch::Receiver<Option<Token>> {
        self.changes.subscribe()
    }

    /// What tells cells apart while they live.
    fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.beacon.leave();
    }
}
