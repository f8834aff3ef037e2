//! The token cells by key, and which of them are dropped beyond the maximum.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use quick_cache::sync::{Cache, GuardResult};
use quick_cache::{Lifecycle, OptionsBuilder, UnitWeighter};

use super::creation_guard::CreationGuard;
use super::creations::{CreationEntry, Creations};
use super::tenant::Tenant;
use crate::catch_panic::catch_panic;
use crate::cell::Transports;
use crate::error::{Error, ErrorKind};
use crate::sync::{Mutex, lock};

/// The keys are shared, so that none is cloned or dropped with a lock held.
///
/// They are hashed with SipHash, because callers may choose them: a faster hash saves two percent of a request, and does not resist callers who
/// find keys with equal hashes.
type CellMap<K> = Cache<Arc<K>, Arc<Tenant>, UnitWeighter, RandomState, KeepInUse>;

/// Creates the cell of a key.
type MakeCell<K> = dyn Fn(&K) -> Result<Tenant, Error> + Send + Sync;

/// Finds the token cell of a key, and creates it if there is none.
///
/// No lock is held while user code runs: the function that creates a cell, and the destructors of cells and keys. Only `Hash` and `Eq` of the
/// key are called with a lock of the map held.
pub(super) struct TenantMap<K> {
    make: Box<MakeCell<K>>,
    name: Mutex<Option<Arc<str>>>,
    /// The transports of the layer and its services, for token requests that handles and rejections start.
    pub(super) transports: Arc<Transports>,
    max: AtomicUsize,
    /// Created by the first use, with the maximum of that moment.
    cells: OnceLock<CellMap<K>>,
    /// Locked also while a cell is inserted or removed: `remove` finds each cell in `cells`, or its creation here.
    creations: Mutex<Creations>,
    hasher: RandomState,
}

/// How often a cell is created for one request, if its key is forgotten meanwhile. The function of the application may itself forget the key.
const MAX_ATTEMPTS: usize = 8;

/// The default of `max_tenants`.
const DEFAULT_MAX: usize = 10_000;

impl<K: Hash + Eq + Clone + Send + Sync + 'static> TenantMap<K> {
    pub(super) fn new(make: Box<MakeCell<K>>) -> Self {
        let (name, transports, max) = (Mutex::new(None), Arc::default(), AtomicUsize::new(DEFAULT_MAX));
        let (cells, creations, hasher) = (OnceLock::new(), Mutex::default(), RandomState::new());
        Self { make, name, transports, max, cells, creations, hasher }
    }

    pub(super) fn set_max(&self, max: usize) -> Result<(), Error> {
        if max == 0 {
            return Err(Error::new(ErrorKind::Configuration, "`max_tenants` must be at least 1"));
        }
        if self.cells.get().is_some() {
            return Err(Error::new(ErrorKind::Configuration, "set `max_tenants` before the layer is used"));
        }
        self.max.store(max, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn set_name(&self, name: String) {
        *lock(&self.name) = Some(name.into());
    }

    /// Returns the cell of a key. Creates it if there is none.
    ///
    /// # Errors
    ///
    /// The error of the function of the application; [`ErrorKind::Panicked`]; [`ErrorKind::Recursion`].
    #[inline]
    pub(super) fn find_or_create(&self, key: &K) -> Result<Arc<Tenant>, Error> {
        let cells = self.cells.get_or_init(|| new_cells(self.max.load(Ordering::Relaxed), self.hasher.clone()));
        match cells.get(key) {
            Some(tenant) => Ok(tenant),
            None => self.create(cells, key),
        }
    }

    #[cold]
    fn create(&self, cells: &CellMap<K>, key: &K) -> Result<Arc<Tenant>, Error> {
        let (hash, shared_key) = (self.hasher.hash_one(key), Arc::new(key.clone()));
        let mut attempts = 0;
        loop {
            attempts += 1;
            let creation = CreationEntry::begin(&self.creations, hash);
            let created = self.make(&shared_key, hash)?;
            // Declared before the lock is taken, so that the dropped cells are dropped after it is released.
            let mut dropped = DroppedCells::default();
            let creations = lock(&self.creations);
            // If `forget` was called meanwhile, the cell may have the old configuration.
            if creation.is_outdated(&creations) && attempts < MAX_ATTEMPTS {
                continue;
            }
            // The lock is held, so no other thread inserts this key, and the call does not wait for one.
            let found = match cells.get_value_or_guard(&shared_key, None) {
                GuardResult::Value(found) => found,
                GuardResult::Guard(place) => {
                    let _ = place.insert_with_lifecycle(created.clone(), &mut dropped);
                    created.clone()
                }
                GuardResult::Timeout => continue,
            };
            drop(creations);
            // A cell that was not inserted reports its end before the other one reports its token.
            drop((dropped, created));
            found.cell.report_initial();
            drop_excess(cells, creation.id());
            return Ok(found);
        }
    }

    /// Calls the function of the application. The map is not locked meanwhile, so that the function may use the layer.
    fn make(&self, key: &Arc<K>, hash: u64) -> Result<Arc<Tenant>, Error> {
        let created = {
            let _guard = CreationGuard::enter(std::ptr::from_ref(self).addr(), key)?;
            Arc::new(catch_panic(|| (self.make)(key))??)
        };
        if !created.cell.claim(hash) {
            return Err(Error::new(
                ErrorKind::Configuration,
                "the function of `TenantsLayer::new` has returned a clone of the layer of another key or of another `TenantsLayer`: make a new layer for each key",
            ));
        }
        created.adopt(lock(&self.name).as_deref(), &self.transports);
        Ok(created)
    }

    /// Removes a cell, and returns it. A cell of this key that is being created is not inserted.
    pub(super) fn remove(&self, key: &K) -> Option<Arc<Tenant>> {
        let hash = self.hasher.hash_one(key);
        let removed = {
            let mut creations = lock(&self.creations);
            creations.outdate(hash);
            self.cells.get().and_then(|cells| cells.remove(key))
        };
        removed.map(|(_, tenant)| tenant)
    }

    /// Returns the cells of which a refresh or a save is running.
    pub(super) fn refreshing(&self) -> Vec<Arc<Tenant>> {
        let cells = self.cells.get().into_iter().flat_map(Cache::iter);
        cells.map(|(_, tenant)| tenant).filter(|tenant| tenant.cell.is_refreshing()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.cells.get().map_or(0, Cache::len)
    }

    pub(super) fn max(&self) -> usize {
        self.max.load(Ordering::Relaxed)
    }
}

/// The minimum number of cells of a shard. Keys are spread unevenly, so a small shard would be full although others are not.
const MIN_SHARD: usize = 1024;

/// The maximum number of shards. A thread that creates a cell locks one of them.
const MAX_SHARDS: usize = 64;

/// Creates a map for `max` cells.
fn new_cells<K: Hash + Eq>(max: usize, hasher: RandomState) -> CellMap<K> {
    // A power of two, as the map demands. The map divides the maximum among its shards and rounds up, so it is rounded down first.
    let shards = 1_usize << (max / MIN_SHARD).clamp(1, MAX_SHARDS).ilog2();
    let capacity = max / shards * shards;
    let mut options = OptionsBuilder::new();
    options.shards(shards).estimated_items_capacity(capacity).weight_capacity(capacity as u64);
    let options = options.build().unwrap_or_else(|_| unreachable!("both capacities are set"));
    Cache::with_options(options, UnitWeighter, hasher, KeepInUse)
}

/// Drops cells that are no longer in use, if there are more than the maximum. An insertion drops those of its shard only, and only those that
/// were not in use then. `creation` is the number of the creation.
fn drop_excess<K: Hash + Eq>(cells: &CellMap<K>, creation: u64) {
    let capacity = cells.capacity();
    let excess = (cells.len() as u64).saturating_sub(capacity);
    // It visits all cells, so with thousands of them in use beyond the maximum it does not run for each creation.
    if excess > 0 && creation.is_multiple_of(1 + excess / 1024) {
        cells.set_capacity(capacity);
    }
}

/// Keeps the cells in use, whatever the maximum is.
#[derive(Clone)]
struct KeepInUse;

impl<K> Lifecycle<Arc<K>, Arc<Tenant>> for KeepInUse {
    type RequestState = DroppedCells<K>;

    fn is_pinned(&self, _key: &Arc<K>, tenant: &Arc<Tenant>) -> bool {
        tenant.is_in_use()
    }

    fn on_evict(&self, dropped: &mut Self::RequestState, key: Arc<K>, tenant: Arc<Tenant>) {
        dropped.0.push((key, tenant));
    }
}

/// The cells that an insertion has dropped. Their destructors run after the lock is released.
struct DroppedCells<K>(Vec<(Arc<K>, Arc<Tenant>)>);

impl<K> Default for DroppedCells<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K> Drop for DroppedCells<K> {
    fn drop(&mut self) {
        // A panic of a destructor must not reach the request of another key.
        for cell in self.0.drain(..) {
            let _ = catch_panic(|| drop(cell));
        }
    }
}
