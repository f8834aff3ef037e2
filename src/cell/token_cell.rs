//! The token cell: the state that the layer, its services and its handles share.

#[cfg(feature = "tenants")]
use std::sync::atomic::fence;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tokio::sync::watch;

use super::cached::{CachedError, CachedToken, Outcome};
use super::fresh_flag::FreshFlag;
use super::inputs::Inputs;
use super::refresh_task::RefreshTask;
use super::registry;
use super::state::TokenState;
use super::timing::Timing;
use super::transports::{ServiceTransport, Transports};
use super::waiters::Waiters;
use crate::catch_panic::catch_panic;
use crate::clock::{self, Now};
use crate::dpop::Dpop;
use crate::grant::{BoxGrant, Grant, initial_token};
use crate::observe::Observer;
use crate::random;
use crate::sync::{ArcSwapOption, AtomicBool, AtomicUsize, Mutex, Ordering, lock};
use crate::token::Token;
use crate::transport::{RequestLimits, Transport};

pub(super) type Task = RefreshTask<Outcome>;
pub(super) type CellState = TokenState<Arc<Task>>;

/// A predicate for responses that reject the token.
pub(crate) type RejectWhen = dyn Fn(StatusCode, &HeaderMap) -> bool + Send + Sync;

/// The token that many callers share, its grant, and its running refresh.
pub(crate) struct TokenCell {
    /// The current token, read without the lock. Written with the lock held.
    pub(super) snapshot: ArcSwapOption<CachedToken>,
    /// The generation of the current token while it is known to be fresh. Any change of the state clears it.
    pub(crate) fresh: Arc<FreshFlag>,
    /// `true` until a response accepts the newest token. Written with the lock held.
    pub(super) awaiting_acceptance: AtomicBool,
    pub(super) locked: Mutex<LockedState>,
    pub(super) grant: BoxGrant,
    /// The key that the tokens are bound to.
    pub(super) dpop: Option<Dpop>,
    pub(super) reject_when: ArcSwapOption<Box<RejectWhen>>,
    /// Whether a challenge that demands another token starts a refresh.
    pub(super) steps_up: AtomicBool,
    /// Created with the lock held, for the first receiver: most cells have none.
    changes: OnceLock<watch::Sender<Option<Token>>>,
    pub(super) waiters: Waiters,
    pub(super) transports: Transports,
    /// The number of running refresh tasks and saves.
    pub(super) in_flight: AtomicUsize,
    pub(super) observer: Observer,
    /// Identifies the cell with its upper 32 bits. The generations of the tokens count up from it: see `registry`.
    base_generation: u64,
    /// The hash of the key that the cell belongs to, if it is one of many.
    #[cfg(feature = "tenants")]
    owner: OnceLock<u64>,
}

/// The state that the lock protects. While the lock is held, no user code runs and nothing is awaited.
pub(super) struct LockedState {
    pub(super) state: CellState,
    pub(super) options: Options,
}

/// The values that a change may have removed from the state. They are dropped without the lock.
struct Replaced(
    #[expect(dead_code, reason = "only dropped")] Option<Arc<Task>>,
    #[expect(dead_code, reason = "only dropped")] Option<CachedError>,
    #[expect(dead_code, reason = "only dropped")] Option<Arc<CachedToken>>,
);

/// The options of the token, shared by all services.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) timing: Timing,
    pub(crate) limits: RequestLimits,
    /// The scheme in the header, such as `Bearer`.
    pub(crate) scheme: Arc<str>,
    /// The maximum time that a request waits for a token.
    pub(crate) max_wait: Option<Duration>,
    /// The number of header values of a token, which threads share.
    pub(crate) header_values: usize,
}

/// The number of header values if one cell serves all requests of a program.
const HEADER_VALUES: usize = 8;

impl TokenCell {
    pub(crate) fn new(grant: impl Grant) -> Arc<Self> {
        let initial = initial_token(&grant);
        let cell = Arc::new_cyclic(|cell| {
            let any: Weak<Self> = cell.clone();
            let base_generation = registry::insert(any);
            let (timing, limits) = (Timing::default(), RequestLimits::default());
            let (scheme, header_values) = (Arc::from("Bearer"), HEADER_VALUES);
            let options = Options { timing, limits, scheme, max_wait: None, header_values };
            Self {
                snapshot: ArcSwapOption::empty(),
                fresh: Arc::default(),
                awaiting_acceptance: AtomicBool::new(true),
                locked: Mutex::new(LockedState { state: TokenState::new(base_generation), options }),
                observer: Observer::new(grant.name()),
                dpop: grant.dpop(),
                grant: grant.boxed(),
                reject_when: ArcSwapOption::empty(),
                steps_up: AtomicBool::new(false),
                changes: OnceLock::new(),
                waiters: Waiters::default(),
                transports: Transports::default(),
                in_flight: AtomicUsize::new(0),
                base_generation,
                #[cfg(feature = "tenants")]
                owner: OnceLock::new(),
            }
        });
        if let Some(token) = initial {
            cell.configure(|state, _, now, inputs| state.set(token, now, inputs));
        }
        cell
    }

    /// Changes the options.
    pub(crate) fn set_options(&self, change: impl FnOnce(&mut Options)) {
        change(&mut lock(&self.locked).options);
        self.configure(|state, _, _, inputs| state.reconfigure(inputs));
    }

    /// Changes the state while the layer is built. The change is not reported to logs and metrics, because the layer has no name yet.
    fn configure(&self, change: impl FnOnce(&mut CellState, &Options, Now, &Inputs<'_>)) {
        let replaced = self.apply(change).1;
        self.send_changes();
        drop(replaced);
    }

    /// Reports the initial token to logs and metrics.
    pub(crate) fn report_initial(&self) {
        if self.peek().is_some() {
            self.observer.record_token(|| self.peek());
        }
    }

    pub(crate) fn set_name(&self, name: String) {
        self.observer.set_name(name);
    }

    /// Sets the name, unless the layer of this cell has one.
    #[cfg(feature = "tenants")]
    pub(crate) fn set_default_name(&self, name: &str) {
        self.observer.set_default_name(name);
    }

    pub(crate) fn set_reject_when(&self, predicate: Box<RejectWhen>) {
        let previous = {
            let locked = lock(&self.locked);
            let previous = self.reject_when.swap(Some(Arc::new(predicate)));
            self.publish(&locked.state);
            previous
        };
        drop(previous);
    }

    /// Sets the transport for all token requests.
    pub(crate) fn set_transport(&self, transport: Transport) {
        self.transports.set_fixed(transport);
    }

    /// Makes it the cell of the key with this hash. Returns `false` if it belongs to another one.
    #[cfg(feature = "tenants")]
    pub(crate) fn claim(&self, owner: u64) -> bool {
        *self.owner.get_or_init(|| owner) == owner
    }

    /// Returns whether the cell is one of many, which belong to keys.
    pub(super) fn is_tenant(&self) -> bool {
        #[cfg(feature = "tenants")]
        return self.owner.get().is_some();
        #[cfg(not(feature = "tenants"))]
        return false;
    }

    /// Adds the transports that many cells share. They are used if this cell has none of its own.
    #[cfg(feature = "tenants")]
    pub(crate) fn share_transports(&self, shared: &Arc<Transports>) {
        self.transports.share(shared);
    }

    /// Registers the transport of a service. Handles use it until the service is dropped.
    pub(crate) fn register_transport(&self, service: &ServiceTransport, transport: impl FnOnce() -> Transport) {
        self.transports.register(service, transport);
    }

    /// Changes the state, and wakes the waiters.
    pub(super) fn update<R>(&self, change: impl FnOnce(&mut CellState, &Options, Now, &Inputs<'_>) -> R) -> R {
        let (result, replaced) = self.apply(change);
        self.waiters.wake_all();
        // The waker of a receiver can panic. The panic must not reach the caller, because the state has changed.
        let _ = catch_panic(|| self.send_changes());
        self.observer.record_token(|| self.peek());
        drop(replaced);
        result
    }

    /// Changes the state, and publishes it to readers. The caller must drop the replaced values without a lock, because tokens, errors and
    /// tasks can own user code.
    fn apply<R>(&self, change: impl FnOnce(&mut CellState, &Options, Now, &Inputs<'_>) -> R) -> (R, Replaced) {
        let jitter = random::unit();
        let mut locked = lock(&self.locked);
        let LockedState { state, options } = &mut *locked;
        let replaced = Replaced(state.running_task().cloned(), state.error().cloned(), state.newest().cloned());
        let Options { timing, scheme, header_values, .. } = &*options;
        let inputs = Inputs { timing, scheme, header_values: *header_values, jitter };
        let result = change(state, options, clock::now(), &inputs);
        self.publish(state);
        (result, replaced)
    }

    pub(super) fn publish(&self, state: &CellState) {
        let current = state.current();
        self.snapshot.store(current.cloned());
        self.awaiting_acceptance.store(state.is_awaiting_acceptance(), Ordering::Relaxed);
        self.fresh.clear();
    }

    /// Sends the current token to the receivers of `changes`. Concurrent calls may skip a token, but not the newest one.
    fn send_changes(&self) {
        // The models have no receivers, because loom does not control the lock inside `watch`.
        let Some(changes) = self.changes.get() else { return };
        changes.send_if_modified(|sent| {
            let newest = self.peek();
            let is_modified = *sent != newest;
            *sent = newest;
            is_modified
        });
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Token>> {
        // With the lock, so that a change is either seen here or finds the sender.
        let _locked = lock(&self.locked);
        self.changes.get_or_init(|| watch::Sender::new(self.peek())).subscribe()
    }

    /// Returns whether `generation` belongs to a token of this cell, rather than to one of another cell.
    pub(crate) fn is_own_generation(&self, generation: u64) -> bool {
        registry::is_same_cell(generation, self.base_generation)
    }

    /// Returns whether an earlier error is still valid for its caller.
    pub(crate) fn still_applies(&self, error: &CachedError) -> bool {
        lock(&self.locked).state.still_applies(error, clock::now())
    }

    /// Returns whether a refresh is running, or something other than the `owned` references uses the cell: a handle, or a request that waits.
    #[cfg(feature = "tenants")]
    pub(crate) fn is_in_use(self: &Arc<Self>, owned: usize) -> bool {
        if Arc::strong_count(self) > owned {
            return true;
        }
        // A handle may have started a refresh before it was dropped.
        fence(Ordering::Acquire);
        // It writes, so that it reads the newest value, even in a model, to which the reference count is unknown.
        self.in_flight.fetch_add(0, Ordering::SeqCst) > 0
    }

    /// Returns whether a refresh or a save is running.
    #[cfg(feature = "tenants")]
    pub(crate) fn is_refreshing(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) > 0
    }

    /// Returns the number of the cell. An address would not do: a grant can run longer than its cell exists, and another cell may get its address.
    pub(super) fn id(&self) -> u32 {
        registry::cell_number(self.base_generation)
    }
}

/// Returns the cell whose token has this generation, unless it was dropped.
pub(crate) fn find_cell(generation: u64) -> Option<Arc<TokenCell>> {
    registry::find(generation)?.downcast().ok()
}

impl Drop for TokenCell {
    fn drop(&mut self) {
        registry::remove(self.base_generation);
        // The futures of `keep_fresh` have only a weak reference. Once woken, they end.
        self.waiters.wake_all();
    }
}
