//! Models of a cell that is dropped while it may be in use.
//!
//! The map of the layer is not aware of `loom`. So a lock with one key takes its place, and drops a cell by the same decision.

use std::sync::Arc;

use loom::future::block_on;
use loom::thread;

use super::tenant::Tenant;
use crate::authorize::SharedPolicy;
use crate::cell::loom_models::support::*;
use crate::grant::Reason;
use crate::sync::{Mutex, lock};

/// A map for one key.
#[derive(Clone)]
struct OneKey {
    server: Arc<ModelServer>,
    cell: Arc<Mutex<Option<Arc<Tenant>>>>,
}

impl OneKey {
    fn new() -> Self {
        Self { server: ModelServer::new(), cell: Arc::new(Mutex::new(None)) }
    }

    fn find_or_create(&self) -> Arc<Tenant> {
        if let Some(tenant) = &*lock(&self.cell) {
            return tenant.clone();
        }
        let created = Arc::new(Tenant::new(self.server.cell(), SharedPolicy::default(), None));
        lock(&self.cell).get_or_insert(created).clone()
    }

    /// Drops the cell, unless it is in use.
    fn evict(&self) {
        let dropped = {
            let mut cell = lock(&self.cell);
            if cell.as_ref().is_some_and(Tenant::is_in_use) { None } else { cell.take() }
        };
        drop(dropped);
    }
}

#[test]
fn loom_a_cell_whose_refresh_runs_is_kept() {
    model(|| {
        let map = OneKey::new();
        let other = map.clone();
        let evicting = thread::spawn(move || other.evict());
        // A request that is cancelled after it has started a refresh.
        let tenant = map.find_or_create();
        let mut waiter = begin_wait(&tenant.cell);
        assert!(poll(&mut waiter).is_pending());
        drop(waiter);
        drop(tenant);
        evicting.join().unwrap();
        map.evict();
        map.server.respond();
        assert_eq!(block_on(get(map.find_or_create().cell.clone())).unwrap(), "1");
        assert_eq!(map.server.refreshes(), 1);
    });
}

#[test]
fn loom_a_handle_is_the_handle_of_the_cell_in_the_map() {
    model(|| {
        let map = OneKey::new();
        let other = map.clone();
        let evicting = thread::spawn(move || other.evict());
        let handle = map.find_or_create().tokens();
        handle.set(bearer("set"));
        evicting.join().unwrap();
        map.evict();
        assert_eq!(peek(&map.find_or_create().cell).unwrap(), "set");
        drop(handle);
        map.evict();
        assert!(lock(&map.cell).is_none(), "an idle cell is kept");
    });
}

#[test]
fn loom_a_waiter_gets_the_result_of_a_refresh_that_ends_beside_an_eviction() {
    bounded(3, || {
        let map = OneKey::new();
        let tenant = map.find_or_create();
        let runtime_task = runtime_task(&new_task(&tenant.cell, Reason::Missing));
        let waiter = begin_wait(&tenant.cell);
        drop(tenant);
        let polling = thread::spawn(move || block_on(runtime_task));
        let other = map.clone();
        let evicting = thread::spawn(move || other.evict());
        map.server.respond();
        assert_eq!(result(&block_on(waiter)), Ok("1"));
        polling.join().unwrap();
        evicting.join().unwrap();
        assert_eq!(map.server.refreshes(), 1);
    });
}

/// The cell is not in use between two requests, so it may be dropped there. No request uses a cell that is not in the map.
#[test]
fn loom_two_requests_beside_an_eviction_have_at_most_one_cell_at_once() {
    model(|| {
        let map = OneKey::new();
        let other = map.clone();
        let evicting = thread::spawn(move || other.evict());
        for _ in 0..2 {
            let tenant = map.find_or_create();
            assert!(Arc::ptr_eq(&tenant, &map.find_or_create()), "two cells of one key");
        }
        evicting.join().unwrap();
    });
}
