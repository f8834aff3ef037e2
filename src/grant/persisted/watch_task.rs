//! The watch task offers the tokens of other processes to the cell, so that they arrive without a request.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;

use super::session::Session;
use super::version::{is_newer, is_same, stored_as};
use crate::grant::TokenSink;
use crate::store::Entry;

/// Offers `sink` each entry that another process has saved and that is newer than the last one that `session` has seen.
pub(super) async fn watch_entry(
    mut changes: watch::Receiver<Option<Entry>>,
    sink: Weak<dyn TokenSink>,
    session: Weak<Session>,
) {
    while changes.changed().await.is_ok() {
        let Some(entry) = changes.borrow_and_update().clone() else { continue };
        let Some(session) = session.upgrade() else { return };
        let last_seen = session.last_seen();
        // A cell needs no token before it has requested its first one.
        if last_seen.is_none() || !is_newer(&entry, last_seen) || entry.token.is_expired(Duration::ZERO) {
            continue;
        }
        if session.own_entry().is_some_and(|own| is_same(&own, &entry)) {
            continue;
        }
        let Some(sink) = sink.upgrade() else { return };
        let stored_as = stored_as(&entry);
        if sink.offer(entry.token.with_stored_as(stored_as)) {
            session.record_seen(stored_as);
        }
    }
}
