//! Saving a new token: before it is served, and when that fails, for a while after.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::keeper::see;
use super::shelf::Shelf;
use crate::clock;
use crate::error::Error;
use crate::store::{Entry, TokenStore};
use crate::sync::Mutex;
use crate::token::Token;

/// So many further tries, the first after this wait, and each after twice the last, up to the longest: for some two minutes. The
/// turn is kept meanwhile, for a sibling would find the spent refresh token.
const TRIES: u32 = 28;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Saving<S: TokenStore> {
    pub(super) shelf: Shelf<S>,
    pub(super) token: Token,
    pub(super) turn: Option<S::Lock>,
    /// The generation that the store has, known for as long as the turn is held; zero where it has nothing.
    pub(super) stored: Option<u64>,
    /// The newest generation before the token: what is newer than that came after it.
    pub(super) base: Option<u64>,
    /// The generation that the token was to be saved as.
    pub(super) saved_as: Option<u64>,
    pub(super) seen: Arc<Mutex<Option<u64>>>,
    /// Ends it when a next renewal begins, which needs the turn and brings a newer token.
    pub(super) next: watch::Receiver<u64>,
}

impl<S: TokenStore> Saving<S> {
    /// Saves it, unless there is a newer one.
    pub(super) async fn attempt(&mut self) -> Result<(), Error> {
        let turn = match self.turn.take() {
            Some(turn) => turn,
            None => {
                self.stored = None;
                self.shelf.lock(self.shelf.lock_deadline).await??
            }
        };
        let turn = self.turn.insert(turn);
        let stored = match self.stored.take() {
            Some(stored) => stored,
            None => self.shelf.load().await?.map_or(0, |entry| entry.generation),
        };
        if self.saved_as == Some(stored) || self.base.is_some_and(|base| stored > base) {
            // It is there, only the answer was lost; or a sibling's is, which came after it.
            return Ok(());
        }
        let newest = stored.max(self.base.unwrap_or_default());
        // Where there is nothing, there may have been something: whoever has seen that is to take this for newer.
        let generation = if stored == 0 { newest.max(clock::now().unix_millis()) } else { newest } + 1;
        self.saved_as = Some(generation);
        // Before it is saved: whoever follows the store is not to take it for a sibling's.
        see(&self.seen, generation);
        let entry = Entry::new(self.token.clone(), generation);
        self.shelf.save(&entry, turn).await
    }

    /// Tries it again, and again.
    pub(super) async fn go_on(mut self) {
        for tries in 0..TRIES {
            let wait = (FIRST_WAIT * 2_u32.saturating_pow(tries)).min(LONGEST_WAIT);
            if clock::within(wait, self.next_renewal()).await.is_some() || self.attempt().await.is_ok() {
                return;
            }
        }
    }

    async fn next_renewal(&mut self) {
        if self.next.changed().await.is_err() {
            // All who could begin one are gone, and the token is still to be saved.
            pending().await
        }
    }
}
