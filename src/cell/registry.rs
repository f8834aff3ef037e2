//! Finds the cell of a response.
//!
//! A request on the fast path has no reference to its cell, because threads would contend for the reference count. It has the
//! generation of its token. The upper 32 bits of a generation identify the cell, and the lower ones count its tokens. Only a rejection
//! looks up the cell.

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// A token cell whose type is erased, so that this file does not import the file of the cell.
type AnyCell = dyn Any + Send + Sync;

#[derive(Default)]
struct Registry {
    cells: HashMap<u32, Weak<AnyCell>>,
    /// The number of the next cell. It starts again after four billion cells.
    next: u32,
}

static REGISTRY: OnceLock<Mutex<Registry>> = OnceLock::new();

impl Registry {
    /// Adds a cell with a number that no other cell has.
    fn insert(&mut self, cell: Weak<AnyCell>) -> u32 {
        loop {
            let number = self.next;
            self.next = number.wrapping_add(1);
            if let Entry::Vacant(entry) = self.cells.entry(number) {
                entry.insert(cell);
                return number;
            }
        }
    }

    /// Removes a cell. Releases memory after many cells were dropped.
    fn remove(&mut self, number: u32) -> Option<Weak<AnyCell>> {
        let removed = self.cells.remove(&number);
        if self.cells.len() < self.cells.capacity() / 4 {
            self.cells.shrink_to_fit();
        }
        removed
    }
}

/// Adds a cell. Returns its base generation: the number of the cell in the upper bits, and zero in the lower ones.
pub(super) fn insert(cell: Weak<AnyCell>) -> u64 {
    u64::from(registry().insert(cell)) << 32
}

/// Returns the position of the token among the tokens of its cell.
pub(super) fn sequence_number(generation: u64) -> u64 {
    generation & u64::from(u32::MAX)
}

pub(super) fn remove(generation: u64) {
    // Dropped after the lock is released.
    let removed = registry().remove(cell_number(generation));
    drop(removed);
}

/// Returns the cell whose token has this generation, unless it was dropped.
pub(super) fn find(generation: u64) -> Option<Arc<AnyCell>> {
    let cell = registry().cells.get(&cell_number(generation)).cloned();
    cell?.upgrade()
}

/// Returns whether both generations belong to the same cell.
pub(super) fn is_same_cell(one: u64, other: u64) -> bool {
    cell_number(one) == cell_number(other)
}

/// Returns the number of the cell, which is unique while the cell exists.
pub(super) fn cell_number(generation: u64) -> u32 {
    (generation >> 32) as u32
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{TokenCell, find_cell};
    use crate::grant::grant_fn;
    use crate::token::Token;

    #[test]
    fn a_number_is_used_again_only_after_its_cell_was_dropped() {
        let cell = || -> Weak<AnyCell> { Weak::<u8>::new() };
        let mut registry = Registry { next: u32::MAX, ..Registry::default() };
        assert_eq!([registry.insert(cell()), registry.insert(cell())], [u32::MAX, 0]);
        registry.next = u32::MAX;
        assert_eq!(registry.insert(cell()), 1);
        registry.cells.remove(&0);
        registry.next = u32::MAX;
        assert_eq!(registry.insert(cell()), 0);
    }

    #[test]
    fn k14_dropped_cells_leave_no_memory() {
        let mut registry = Registry::default();
        let numbers: Vec<_> = (0..1000).map(|_| registry.insert(Weak::<u8>::new())).collect();
        for number in numbers {
            assert!(registry.remove(number).is_some());
        }
        assert!(registry.cells.is_empty() && registry.cells.capacity() < 100, "{}", registry.cells.capacity());
    }

    #[test]
    fn a_cell_is_found_by_the_generation_of_its_tokens_until_it_is_dropped() {
        let [one, two] = [(); 2].map(|()| TokenCell::new(grant_fn(async |_| Token::bearer("unused"))));
        let [of_one, of_two] = [&one, &two].map(|cell| {
            cell.set(Token::bearer("a").unwrap());
            cell.with_valid(|token| token.generation).unwrap()
        });
        assert!(!is_same_cell(of_one, of_two));
        assert!(is_same_cell(of_one, of_one + 1));
        assert_eq!((sequence_number(of_one), sequence_number(of_two)), (1, 1));
        assert!(find_cell(of_one).is_some_and(|cell| Arc::ptr_eq(&cell, &one)));
        drop(one);
        assert!(find_cell(of_one).is_none());
        assert!(!super::registry().cells.contains_key(&cell_number(of_one)), "the number is kept");
        assert!(find_cell(of_two).is_some_and(|cell| Arc::ptr_eq(&cell, &two)));
    }
}
