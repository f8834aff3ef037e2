//! Detects a function of the application that asks for the cell that it creates.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

type Creating = Vec<(usize, Arc<dyn Any>)>;

thread_local! {
    /// The maps and keys whose cells this thread creates, outermost first.
    static CREATING: RefCell<Creating> = RefCell::default();
}

/// Registers a key whose cell this thread creates, until it is dropped.
pub(super) struct CreationGuard;

impl CreationGuard {
    /// Registers the key of the map with this address.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Recursion`] if the cell is being created: the function of the application would call itself without end.
    pub(super) fn enter<K: Eq + 'static>(map: usize, key: &Arc<K>) -> Result<Self, Error> {
        // Copied, because comparing keys is user code.
        let creating = CREATING.with(|creating| creating.borrow().clone());
        if creating.iter().any(|(other, running)| *other == map && running.downcast_ref() == Some(&**key)) {
            return Err(Error::new(
                ErrorKind::Recursion,
                "the function of `TenantsLayer::new` uses the layer for the key that it was called for",
            ));
        }
        CREATING.with(|creating| creating.borrow_mut().push((map, key.clone())));
        Ok(Self)
    }
}

impl Drop for CreationGuard {
    fn drop(&mut self) {
        // No destructor of a key runs here, because the caller of `enter` has another reference.
        CREATING.with(|creating| creating.borrow_mut().pop());
    }
}
