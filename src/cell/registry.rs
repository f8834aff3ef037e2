//! Finds the cell of a response.
//!
//! A request on the fast path has no reference to its cell, because threads would contend for the reference count. It has the
//! generation of its token. The upper 32 bits of a generation identify the cell, and the lower ones count its tokens. Only a rejection
//! looks up the cell.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// A token cell whose type is erased, so that this file does not import the file of the cell.
type AnyCell = dyn Any + Send + Sync;
type Cells = HashMap<u32, Weak<AnyCell>>;

static CELLS: OnceLock<Mutex<Cells>> = OnceLock::new();

/// Returns the base generation of a new cell: a unique number in the upper bits, and zero in the lower ones. Numbers are not reused.
pub(super) fn new_base_generation() -> u64 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    u64::from(NEXT.fetch_add(1, Ordering::Relaxed)) << 32
}

/// Returns the position of the token among the tokens of its cell.
pub(super) fn sequence_number(generation: u64) -> u64 {
    generation & u64::from(u32::MAX)
}

pub(super) fn insert(generation: u64, cell: Weak<AnyCell>) {
    cells().insert(id(generation), cell);
}

pub(super) fn remove(generation: u64) {
    let mut cells = cells();
    let removed = cells.remove(&id(generation));
    if cells.len() < cells.capacity() / 4 {
        // Release memory after many cells were dropped.
        cells.shrink_to_fit();
    }
    drop(cells);
    drop(removed);
}

/// Returns the cell whose token has this generation, unless it was dropped.
pub(super) fn find(generation: u64) -> Option<Arc<AnyCell>> {
    let cell = cells().get(&id(generation)).cloned();
    cell?.upgrade()
}

/// Returns whether both generations belong to the same cell.
pub(super) fn is_same_cell(one: u64, other: u64) -> bool {
    id(one) == id(other)
}

fn id(generation: u64) -> u32 {
    (generation >> 32) as u32
}

fn cells() -> MutexGuard<'static, Cells> {
    CELLS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::{TokenCell, find_cell};
    use crate::grant::grant_fn;
    use crate::token::Token;

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
        assert!(find_cell(of_two).is_some_and(|cell| Arc::ptr_eq(&cell, &two)));
    }
}
