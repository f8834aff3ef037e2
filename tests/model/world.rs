//! The state of a sequence: the clocks, the servers, the reference, the callers and the running token requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tower_oauth2::ErrorKind;

use crate::callers::{Caller, Stage};
use crate::clocks::Clocks;
use crate::coverage::Case;
use crate::model_token::JitterRange;
use crate::reference::Reference;
use crate::server::{Credential, Mode, Server};
use crate::steps::{Setting, Step};
use crate::time::Moment;

pub(crate) struct World {
    pub(crate) clocks: Clocks,
    pub(crate) server: Server,
    pub(crate) reference: Reference,
    pub(crate) callers: Vec<Caller>,
    /// The running token requests.
    pub(crate) token_requests: BTreeMap<usize, TokenRequest>,
    pub(crate) token_requests_begun: usize,
    /// The epoch of a refresh that continues with a second token request.
    pub(crate) continues: Option<usize>,
    /// The results of the last refreshes.
    pub(crate) ended_refreshes: Vec<EndedRefresh>,
    pub(crate) refreshes_ended: usize,
    pub(crate) rejection_count: usize,
    /// The waiting callers that have started over in this step.
    pub(crate) restarted: Vec<usize>,
    /// The number of services of the layer that were polled for readiness and are not dropped.
    services: usize,
    /// The delay of the API, in milliseconds.
    pub(crate) api_delay: u64,
    pub(crate) gate: Gate,
    pub(crate) has_token_service: bool,
    /// The violations of the expectations.
    pub(crate) faults: Vec<String>,
    log: Vec<String>,
    pub(crate) seen: BTreeSet<Case>,
    /// Whether the runtime is shutting down, which cancels everything that runs.
    pub(crate) over: bool,
}

pub(crate) struct TokenRequest {
    pub(crate) epoch: usize,
    pub(crate) credential: Credential,
    pub(crate) began: i64,
    pub(crate) mode: Mode,
    /// Whether it follows a token request whose refresh token was rejected.
    pub(crate) second: bool,
}

/// The result of a refresh.
#[derive(Clone)]
pub(crate) struct EndedRefresh {
    pub(crate) at: i64,
    pub(crate) epoch: usize,
    pub(crate) outcome: Result<String, ErrorKind>,
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
        let preset = (!setting.has_own_credentials()).then(|| server.login_elsewhere());
        let (ahead, backoff) = if setting.with_jitter { (0.2, 0.2) } else { (0.0, 0.0) };
        Self(Arc::new(Mutex::new(World {
            clocks: Clocks::start(),
            server,
            reference: Reference::new(preset, JitterRange { ahead, backoff }, setting.token_service),
            callers: Vec::new(),
            token_requests: BTreeMap::new(),
            token_requests_begun: 0,
            continues: None,
            ended_refreshes: Vec::new(),
            refreshes_ended: 0,
            rejection_count: 0,
            restarted: Vec::new(),
            services: 0,
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

    /// Adds an event to the log, which explains the failure of a sequence.
    pub(crate) fn note(&mut self, what: impl Display) {
        let seconds = self.now().mono as f64 / 1e9;
        self.log.push(format!("{seconds:>12.3} s  {what}"));
    }

    pub(crate) fn fault(&mut self, what: impl Display) {
        self.note(format_args!("FAULT: {what}"));
        self.faults.push(what.to_string());
    }

    pub(crate) fn cover(&mut self, case: Case) {
        self.seen.insert(case);
    }

    /// Returns the first fault with the log.
    pub(crate) fn report(&self) -> Result<(), String> {
        match self.faults.first() {
            None => Ok(()),
            Some(first) => Err(format!("{first}\n{}", self.log.join("\n"))),
        }
    }

    /// Returns the refreshes that ended in this moment.
    pub(crate) fn just_ended(&self) -> impl Iterator<Item = &EndedRefresh> {
        let now = self.now().mono;
        self.ended_refreshes.iter().filter(move |ended_refreshes| ended_refreshes.at == now)
    }
}

impl World {
    /// Counts a service of the layer that is polled for the first time or dropped.
    pub(crate) fn count_services(&mut self, change: isize) {
        self.services = self.services.saturating_add_signed(change);
        self.reference.connected = self.has_token_service || self.services > 0;
    }

    /// Changes the servers and the clocks, which the reference does not observe.
    pub(crate) fn changes(&mut self, step: Step) {
        match step {
            Step::Server(mode) => self.server.mode = mode,
            Step::Lifetime(lifetime) => self.server.lifetime = lifetime,
            Step::Rotates(rotates) => self.server.rotates = rotates,
            Step::LogOut => self.server.log_out(),
            Step::ApiRejectsAll(rejects) => self.server.rejects_all = rejects,
            Step::ApiDelay(millis) => self.api_delay = millis,
            Step::Wall(secs) => self.clocks.step_wall(secs),
            Step::ApiRejectsNewest => {
                if let Some(token) = &self.reference.token {
                    self.server.reject(&token.access);
                }
            }
            Step::ApiReady(true) => self.gate.open(),
            // If token requests use the same service, they would also wait, which the model does not cover.
            Step::ApiReady(false) if self.has_token_service => {
                self.gate.closed = true;
                self.callers
                    .iter_mut()
                    .filter(|caller| caller.stage == Stage::Waiting)
                    .for_each(|caller| caller.gated = true);
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
        // The wakers belong to tasks, which do not run immediately.
        self.waiting.drain(..).for_each(Waker::wake);
    }
}
