//! Identifies the grant and the token cell that a login belongs to.

use std::sync::{Arc, Weak};

use crate::grant::{Context, TokenSink};

/// The identity that distinguishes a grant from others. A clone has another one.
#[derive(Default)]
pub(in crate::grant) struct GrantId(Arc<()>);

impl Clone for GrantId {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// The grant and the token cell that a login belongs to. Several cells may share a grant.
pub(super) struct Owner {
    grant: Arc<()>,
    cell: Option<Weak<dyn TokenSink>>,
}

impl Owner {
    pub(super) fn new(grant: &GrantId, cx: &Context) -> Self {
        Self { grant: grant.0.clone(), cell: cx.sink().cloned() }
    }

    /// Returns whether both logins belong to the same grant and cell. Outside a cell, each login has its own owner.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let is_same_cell = match (&self.cell, &other.cell) {
            (Some(ours), Some(theirs)) => std::ptr::addr_eq(ours.as_ptr(), theirs.as_ptr()),
            _ => false,
        };
        is_same_cell && Arc::ptr_eq(&self.grant, &other.grant)
    }
}
