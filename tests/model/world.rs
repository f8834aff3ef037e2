//! All that a sequence knows: the clocks, the servers, the reference, who asks and what is under way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tower_oauth2::ErrorKind;

use crate::asks::{Ask, Stage};
use crate::clocks::Clocks;
use crate::held::Chance;
use crate::reference::Reference;
use crate::seen::Seen;
use crate::server::{Credential, Mode, Server};
use crate::steps::{Setting, Step};
use crate::time::Moment;

pub(crate) struct World {
    pub(crate) clocks: Clocks,
    pub(crate) server: Server,
    pub(crate) reference: Reference,
    pub(crate) asks: Vec<Ask>,
    /// The token calls under way.
    pub(crate) calls: BTreeMap<usize, Call>,
    pub(crate) calls_begun: usize,
    /// A flight that goes on with a second call: the epoch it belongs to.
    pub(crate) goes_on: Option<usize>,
    /// How the last flights ended.
    pub(crate) landed: Vec<Landed>,
    pub(crate) landings: usize,
    pub(crate) refusals: usize,
    /// How long the API takes, in milliseconds.
    pub(crate) api_delay: u64,
    pub(crate) gate: Gate,
    has_token_service: bool,
    /// What was not as it should be.
    pub(crate) faults: Vec<String>,
    log: Vec<String>,
    pub(crate) seen: BTreeSet<Seen>,
    /// The runtime goes away, and all that is under way with it.
    pub(crate) over: bool,
}

pub(crate) struct Call {
    pub(crate) epoch: usize,
    pub(crate) credential: Credential,
    pub(crate) began: i64,
    pub(crate) mode: Mode,
    /// Whether it follows one whose refresh token was refused.
    pub(crate) second: bool,
}

/// How a flight ended.
#[derive(Clone)]
pub(crate) struct Landed {
    pub(crate) at: i64,
    pub(crate) epoch: usize,
    pub(crate) outcome: Result<String, ErrorKind>,
    /// What those get instead who waited for it.
    pub(crate) instead: Option<String>,
}

/// Whether the API's service is ready.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) closed: bool,
    waiting: Vec<Waker>,
}

#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub(crate) fn new(setting: Setting) -> Self {
        let mut server = Server::new(setting.with_refresh_tokens(), setting.ends_the_old);
        let preset = (!setting.by_itself()).then(|| server.login_elsewhere());
        let (ahead, backoff) = if setting.by_chance { (0.2, 0.2) } else { (0.0, 0.0) };
        Self(Arc::new(Mutex::new(World {
            clocks: Clocks::start(),
            server,
            reference: Reference::new(preset, Chance { ahead, backoff }, setting.token_service),
            asks: Vec::new(),
            calls: BTreeMap::new(),
            calls_begun: 0,
            goes_on: None,
            landed: Vec::new(),
            landings: 0,
            refusals: 0,
            api_delay: 0,
            gate: Gate::default(),
            has_token_service: setting.token_service,
            faults: Vec::new(),
            log: Vec::new(),
            seen: BTreeSet::new(),
            over: false,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    pub(crate) fn now(&self) -> Moment {
        self.clocks.now()
    }

    /// Notes what happens, for whoever has to find out why a sequence fails.
    pub(crate) fn note(&mut self, what: impl Display) {
        let seconds = self.now().mono as f64 / 1e9;
        self.log.push(format!("{seconds:>12.3} s  {what}"));
    }

    pub(crate) fn fault(&mut self, what: impl Display) {
        self.note(format_args!("FAULT: {what}"));
        self.faults.push(what.to_string());
    }

    pub(crate) fn saw(&mut self, corner: Seen) {
        self.seen.insert(corner);
    }

    /// The faults and the story that led there.
    pub(crate) fn report(&self) -> Result<(), String> {
        match self.faults.first() {
            None => Ok(()),
            Some(first) => Err(format!("{first}\n{}", self.log.join("\n"))),
        }
    }

    /// The flights that ended in this very moment.
    pub(crate) fn just_landed(&self) -> impl Iterator<Item = &Landed> {
        let now = self.now().mono;
        self.landed.iter().filter(move |landed| landed.at == now)
    }
}

impl World {
    /// Changes what the reference is not told of.
    pub(crate) fn changes(&mut self, step: Step) {
        match step {
            Step::Server(mode) => self.server.mode = mode,
            Step::Lifetime(lifetime) => self.server.lifetime = lifetime,
            Step::Rotates(rotates) => self.server.rotates = rotates,
            Step::LogOut => self.server.log_out(),
            Step::RefuseAll(refuses) => self.server.refuses_all = refuses,
            Step::ApiDelay(millis) => self.api_delay = millis,
            Step::Wall(secs) => self.clocks.step_wall(secs),
            Step::Refuse => {
                if let Some(token) = &self.reference.token {
                    self.server.refuse(&token.access);
                }
            }
            Step::ApiReady(true) => self.gate.open(),
            // Where token calls go through the same service, they would wait as well, and nobody would see them.
            Step::ApiReady(false) if self.has_token_service => {
                self.gate.closed = true;
                self.asks.iter_mut().filter(|ask| ask.stage == Stage::Waiting).for_each(|ask| ask.gated = true);
            }
            _ => {}
        }
    }
}

impl Gate {
    pub(crate) fn wait(&mut self, waker: &Waker) {
        self.waiting.push(waker.clone());
    }

    fn open(&mut self) {
        self.closed = false;
        // They are tasks, which do not run at once.
        self.waiting.drain(..).for_each(Waker::wake);
    }
}
