//! Records the cells that are being created, so that `forget` reaches them.

use crate::sync::{Mutex, lock};

/// Records the cells that are being created, and numbers them.
#[derive(Default)]
pub(super) struct Creations {
    running: Vec<Creation>,
    next: u64,
}

struct Creation {
    id: u64,
    /// The hash of the key. Two keys with one hash cost a needless creation.
    hash: u64,
    is_outdated: bool,
}

/// A cell that is being created, until it is dropped.
pub(super) struct CreationEntry<'a> {
    id: u64,
    creations: &'a Mutex<Creations>,
}

impl Creations {
    /// Marks the cells that are being created for the key with this hash.
    pub(super) fn outdate(&mut self, hash: u64) {
        for creation in self.running.iter_mut().filter(|creation| creation.hash == hash) {
            creation.is_outdated = true;
        }
    }
}

impl<'a> CreationEntry<'a> {
    /// Records that a cell is being created for the key with this hash.
    pub(super) fn begin(creations: &'a Mutex<Creations>, hash: u64) -> Self {
        let mut locked = lock(creations);
        let id = locked.next;
        locked.next += 1;
        locked.running.push(Creation { id, hash, is_outdated: false });
        Self { id, creations }
    }

    /// Returns the number of the creation.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Returns whether the key was forgotten since the creation began. The caller holds the lock.
    pub(super) fn is_outdated(&self, locked: &Creations) -> bool {
        locked.running.iter().any(|creation| creation.id == self.id && creation.is_outdated)
    }
}

impl Drop for CreationEntry<'_> {
    fn drop(&mut self) {
        lock(self.creations).running.retain(|creation| creation.id != self.id);
    }
}

#[cfg(all(test, not(tower_oauth2_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_creation_that_has_ended_leaves_nothing() {
        let creations = Mutex::<Creations>::default();
        let one = CreationEntry::begin(&creations, 1);
        drop(CreationEntry::begin(&creations, 2));
        assert_eq!(lock(&creations).running.len(), 1);
        drop(one);
        assert!(lock(&creations).running.is_empty());
    }
}
