//! Hearing of what siblings save, without a token call and without a request.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::is_newer;
use super::keeper::see;
use crate::store::Entry;
use crate::sync::{Mutex, lock};
use crate::transport::News;

/// A task that ends with this.
pub(super) struct Following(JoinHandle<()>);

impl Following {
    /// Tells `news` of what is newer than `seen`; `None` where there is no runtime to do it in.
    pub(super) fn start(
        changes: watch::Receiver<Option<Entry>>,
        news: Weak<dyn News>,
        seen: Arc<Mutex<Option<u64>>>,
    ) -> Option<Self> {
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        Some(Self(runtime.spawn(follow(changes, news, seen))))
    }

    pub(super) fn goes_on(&self) -> bool {
        !self.0.is_finished()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn follow(mut changes: watch::Receiver<Option<Entry>>, news: Weak<dyn News>, seen: Arc<Mutex<Option<u64>>>) {
    while changes.changed().await.is_ok() {
        let Some(entry) = changes.borrow_and_update().clone() else { continue };
        let known = *lock(&seen);
        // Before the first token of one's own there is nobody who wants one.
        if known.is_none() || !is_newer(&entry, known) || entry.token.is_expired(Duration::ZERO) {
            continue;
        }
        let Some(news) = news.upgrade() else { return };
        see(&seen, entry.generation);
        news.newer(entry.token);
    }
}
