//! Detects a function of the application that asks for the cell that it creates.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use crate::error::{Error, ErrorKind};

type Creating = Vec<(usize, Rc<dyn Any>)>;

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
    pub(super) fn enter<K: Eq + Clone + 'static>(map: usize, key: &K) -> Result<Self, Error> {
        // Copied, because comparing and cloning keys is user code.
        let creating = CREATING.with(|creating| creating.borrow().clone());
        if creating.iter().any(|(other, running)| *other == map && running.downcast_ref() == Some(key)) {
            return Err(Error::new(
                ErrorKind::Recursion,
                "the function of `TenantsLayer::new` uses the layer for the key that it was called for",
            ));
        }
        let key: Rc<dyn Any> = Rc::new(key.clone());
        CREATING.with(|creating| creating.borrow_mut().push((map, key)));
        Ok(Self)
    }
}

impl Drop for CreationGuard {
    fn drop(&mut self) {
        // The key is dropped after the list is released, because its destructor is user code.
        let ended = CREATING.with(|creating| creating.borrow_mut().pop());
        drop(ended);
    }
}
