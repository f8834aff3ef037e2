//! The token cells by key, and which of them are dropped beyond the maximum.

use std::hash::{Hash, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, UnitWeighter};

use super::creation_guard::CreationGuard;
use super::tenant::Tenant;
use crate::catch_panic::catch_panic;
use crate::cell::Transports;
use crate::error::{Error, ErrorKind};
use crate::sync::{Mutex, lock};

type CellMap<K> = Cache<K, Arc<Tenant>, UnitWeighter, RandomState, KeepInUse>;

/// Creates the cell of a key.
type MakeCell<K> = dyn Fn(&K) -> Result<Tenant, Error> + Send + Sync;

/// Finds the token cell of a key, and creates it if there is none.
///
/// No lock is held while user code runs: the function that creates a cell, and the destructors of cells and keys. Only `Hash`, `Eq` and
/// `Clone` of the key are called with a lock of the map held.
pub(super) struct TenantMap<K> {
    make: Box<MakeCell<K>>,
    name: Mutex<Option<Arc<str>>>,
    /// The transports of the layer and its services, for token requests that handles and rejections start.
    pub(super) transports: Arc<Transports>,
    max: AtomicUsize,
    /// The number of calls of `remove`, for any key.
    removals: AtomicUsize,
    /// Created by the first use, with the maximum of that moment.
    cells: OnceLock<CellMap<K>>,
}

/// How often a cell is created for one request, if keys are forgotten meanwhile. The function of the application may itself forget keys.
const MAX_ATTEMPTS: usize = 8;

/// The default of `max_tenants`.
const DEFAULT_MAX: usize = 10_000;

impl<K: Hash + Eq + Clone + Send + Sync + 'static> TenantMap<K> {
    pub(super) fn new(make: Box<MakeCell<K>>) -> Self {
        let (name, max) = (Mutex::new(None), AtomicUsize::new(DEFAULT_MAX));
        Self { make, name, transports: Arc::default(), max, removals: AtomicUsize::new(0), cells: OnceLock::new() }
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
        let cells = self.cells.get_or_init(|| new_cells(self.max.load(Ordering::Relaxed)));
        match cells.get(key) {
            Some(tenant) => Ok(tenant),
            None => self.create(cells, key),
        }
    }

    #[cold]
    fn create(&self, cells: &CellMap<K>, key: &K) -> Result<Arc<Tenant>, Error> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let removals = self.removals.load(Ordering::SeqCst);
            // Created before the map is locked: the function of the application may use the layer itself.
            let created = {
                let _guard = CreationGuard::enter(std::ptr::from_ref(self).addr(), key)?;
                Arc::new(catch_panic(|| (self.make)(key))??)
            };
            created.adopt(lock(&self.name).as_deref(), &self.transports);
            // `forget` may have been called for this key before the cell is inserted. Then the cell has the old configuration.
            let is_current = || attempts >= MAX_ATTEMPTS || self.removals.load(Ordering::SeqCst) == removals;
            let inserted = cells.get_or_insert_with(key, || is_current().then(|| created.clone()).ok_or(()));
            let Ok(found) = inserted else { continue };
            // Otherwise `forget` has removed the key while it was inserted.
            if !cells.peek(key).is_some_and(|current| Arc::ptr_eq(&current, &found)) {
                continue;
            }
            if Arc::ptr_eq(&found, &created) {
                created.cell.report_initial();
            }
            drop_excess(cells);
            return Ok(found);
        }
    }

    /// Removes a cell, and returns it.
    pub(super) fn remove(&self, key: &K) -> Option<Arc<Tenant>> {
        self.removals.fetch_add(1, Ordering::SeqCst);
        self.cells.get()?.remove(key).map(|(_, tenant)| tenant)
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
fn new_cells<K: Hash + Eq>(max: usize) -> CellMap<K> {
    // A power of two, as the map demands. The map divides the maximum among its shards and rounds up, so it is rounded down first.
    let shards = 1_usize << (max / MIN_SHARD).clamp(1, MAX_SHARDS).ilog2();
    let capacity = max / shards * shards;
    let mut options = OptionsBuilder::new();
    options.shards(shards).estimated_items_capacity(capacity).weight_capacity(capacity as u64);
    let options = options.build().unwrap_or_else(|_| unreachable!("both capacities are set"));
    Cache::with_options(options, UnitWeighter, RandomState::new(), KeepInUse)
}

/// Drops cells that are no longer in use, if there are more than the maximum. An insertion drops those of its shard only, and only those that
/// were not in use then.
fn drop_excess<K: Hash + Eq>(cells: &CellMap<K>) {
    let capacity = cells.capacity();
    if cells.len() as u64 > capacity {
        cells.set_capacity(capacity);
    }
}

/// Keeps the cells in use, whatever the maximum is.
#[derive(Clone)]
struct KeepInUse;

impl<K> Lifecycle<K, Arc<Tenant>> for KeepInUse {
    type RequestState = DroppedCells<K>;

    fn is_pinned(&self, _key: &K, tenant: &Arc<Tenant>) -> bool {
        tenant.is_in_use()
    }

    fn on_evict(&self, dropped: &mut Self::RequestState, key: K, tenant: Arc<Tenant>) {
        dropped.0.push((key, tenant));
    }
}

/// The cells that an insertion has dropped. Their destructors run after the lock is released.
struct DroppedCells<K>(Vec<(K, Arc<Tenant>)>);

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
