//! The token cell of one key, and what belongs to it.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use crate::authorize::{AuthorizePolicy, FastPolicy, SharedPolicy};
use crate::cell::{TokenCell, Tokens, Transports};
use crate::transport::Transport;

/// Owns the token cell of one key, and the options of its tokens.
pub struct Tenant {
    pub(super) cell: Arc<TokenCell>,
    pub(super) policy: Arc<AuthorizePolicy>,
    /// The part of `policy` that most requests need.
    pub(super) fast_policy: FastPolicy,
    /// The transport of a layer with `token_service`.
    pub(super) own_transport: Option<Transport>,
    /// The policy for handles.
    handle_policy: SharedPolicy,
}

impl Tenant {
    pub(super) fn new(cell: Arc<TokenCell>, handle_policy: SharedPolicy, own_transport: Option<Transport>) -> Self {
        let policy = handle_policy.load();
        let fast_policy = policy.fast();
        // One value is enough, because the requests of one key are rarely sent by several threads at once.
        cell.set_options(|options| options.header_values = 1);
        Self { cell, policy, fast_policy, own_transport, handle_policy }
    }

    /// Prepares a cell for its layer. `name` is the one of the layer.
    pub(super) fn adopt(&self, name: Option<&str>, transports: &Arc<Transports>) {
        if let Some(name) = name {
            self.cell.set_default_name(name);
        }
        self.cell.share_transports(transports);
    }

    pub(super) fn tokens(&self) -> Tokens {
        Tokens::new(self.cell.clone(), self.handle_policy.clone())
    }

    /// Returns whether the cell must be kept: a request is under way or waits, a refresh is running, or a handle exists.
    ///
    /// The map calls it with a lock held, under which it clones the reference for each request. So it takes no lock itself, and a reference that
    /// it does not count here cannot be cloned meanwhile.
    pub(super) fn is_in_use(self: &Arc<Self>) -> bool {
        if Arc::strong_count(self) > 1 {
            return true;
        }
        // The last request may have started a refresh, or created a handle, before it dropped its reference to this tenant.
        fence(Ordering::Acquire);
        self.cell.is_in_use(1)
    }
}
