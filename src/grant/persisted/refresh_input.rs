//! Describes the state in which a refresh starts, and makes the decisions that depend on it alone.

use std::time::Duration;

use super::logouts;
use super::session::Session;
use super::store_content::StoreContent;
use super::version::{self, is_newer, new_login, nothing_stored, stored_as};
use crate::challenge::Demand;
use crate::clock;
use crate::grant::{Context, Intervention, Reason};
use crate::store::Entry;
use crate::token::{StoredAs, Token};

/// The state of a cell when a refresh of its token starts.
pub(super) struct RefreshInput {
    /// The previous token of the cell.
    pub(super) previous: Option<Token>,
    /// The newest version of the stored token that the cell has seen. A greater one was saved by another process. `None` if it has seen none.
    pub(super) known: Option<StoredAs>,
    /// Whether the application has forgotten the previous token, whose version is `known`.
    pub(super) is_forgotten: bool,
    /// Whether the application has set the previous token. A stored token does not replace it.
    pub(super) is_set: bool,
    /// The number of logouts when the refresh started.
    pub(super) logouts_before: u64,
    reason: Reason,
    demand: Option<Demand>,
}

/// A token to save.
pub(super) struct NewToken {
    pub(super) token: Token,
    /// Identifies the login that the token belongs to.
    pub(super) login: u64,
    /// Whether it was refreshed from the stored token.
    pub(super) is_refresh: bool,
    /// The newest version that was known before the token request.
    pub(super) known: Option<StoredAs>,
    /// The version in the store.
    pub(super) stored: StoreContent<u64>,
    /// The number of logouts when the refresh started.
    pub(super) logouts_before: u64,
}

impl RefreshInput {
    pub(super) fn new(cx: &Context, last_seen: Option<StoredAs>) -> Self {
        let (previous, logouts_before) = (cx.previous().cloned(), logouts::count());
        let is_forgotten = previous.is_none() && cx.intervention() == Some(Intervention::Forgotten);
        let stored_as = previous.as_ref().and_then(Token::stored_as);
        let is_set = previous.is_some()
            && stored_as.is_none()
            && (cx.intervention() == Some(Intervention::Set) || last_seen.is_none());
        let known = if previous.is_some() || is_forgotten { stored_as.or(last_seen) } else { None };
        let (reason, demand) = (cx.reason(), cx.demand().cloned());
        Self { previous, known, is_forgotten, is_set, logouts_before, reason, demand }
    }

    pub(super) fn is_forced(&self) -> bool {
        self.reason == Reason::Forced
    }

    /// Returns whether the caller needs a newer token than any stored one. If an API demands another token, the stored one may have what it
    /// demands.
    pub(super) fn needs_newer(&self) -> bool {
        self.is_forced() && self.demand.is_none()
    }

    pub(super) fn is_proactive(&self) -> bool {
        self.reason == Reason::Proactive
    }

    /// Returns whether the cell has had no token yet.
    pub(super) fn is_first(&self) -> bool {
        self.previous.is_none() && !self.is_forgotten
    }

    /// Counts the content of the store as known, if the refresh must replace it and none was known before.
    pub(super) fn learn_known(&mut self, stored: StoreContent<&Entry>) {
        if self.previous.is_none() && (self.is_forgotten || self.needs_newer()) && self.known.is_none() {
            self.known = match stored {
                StoreContent::Unknown => None,
                StoreContent::Empty => Some(nothing_stored()),
                StoreContent::Holds(entry) => Some(stored_as(entry)),
            };
        }
    }

    /// Returns whether another process has saved the entry, and its token can be used without a refresh.
    pub(super) fn is_newer(&self, entry: &Entry) -> bool {
        is_newer(entry, self.known)
            && !entry.token.is_expired(Duration::ZERO)
            && self.demand.as_ref().is_none_or(|demand| entry.token.satisfies(demand, clock::now()))
            && self.previous.as_ref().is_none_or(|previous| self.can_replace(previous, &entry.token))
    }

    /// Returns whether a stored token can be used in place of the previous one. If only the refresh token is new, or the access token was
    /// rejected or invalidated, a refresh is needed.
    fn can_replace(&self, previous: &Token, stored: &Token) -> bool {
        let is_extended = match (stored.expires_at(), previous.expires_at()) {
            (None, Some(_)) => true,
            (Some(stored), Some(previous)) => stored > previous,
            _ => false,
        };
        stored.access_token() != previous.access_token()
            || match self.reason {
                Reason::Proactive => is_extended,
                Reason::Missing => previous.is_expired(Duration::ZERO),
                _ => false,
            }
    }

    /// Returns whether the application has forgotten the entry. That includes an entry that a running refresh of this
    /// cell saved after the call of `forget`.
    pub(super) fn has_forgotten(&self, session: &Session, entry: &Entry) -> bool {
        let is_known_forgotten = || self.known.is_none_or(|known| version::is_forgotten(entry, known));
        let is_own_forgotten = || session.own_entry().is_some_and(|own| version::is_forgotten(entry, stored_as(&own)));
        self.is_forgotten && (is_known_forgotten() || is_own_forgotten())
    }

    /// Selects the token to refresh: the previous one or the stored one.
    pub(super) fn select(&self, stored: Option<Entry>) -> Option<Token> {
        let stored = stored.filter(|_| !self.is_set);
        match (&self.previous, stored) {
            (Some(previous), Some(entry)) if !is_newer(&entry, self.known) => Some(previous.clone()),
            (Some(previous), None) => Some(previous.clone()),
            // A token that cannot be refreshed counts as none.
            (None, Some(entry)) if entry.token.refresh_token().is_none() => None,
            // The store has the newest refresh token, even if its access token has expired.
            (_, Some(entry)) => {
                let stored_as = stored_as(&entry);
                Some(entry.token.with_stored_as(stored_as))
            }
            (None, None) => None,
        }
    }

    /// Describes a token that was obtained with `sent` and that replaces the version `stored`.
    pub(super) fn new_token(&self, token: Token, sent: Option<Token>, stored: StoreContent<u64>) -> NewToken {
        let sent = sent.filter(|sent| !self.is_set && sent.refresh_token().is_some());
        let login = sent.as_ref().and_then(Token::stored_as).map_or(0, |sent: StoredAs| sent.login);
        let login = if login == 0 { new_login() } else { login };
        let was_stored = match stored {
            StoreContent::Holds(_) => true,
            StoreContent::Empty => false,
            // There is an entry if the cell has seen a version of it.
            StoreContent::Unknown => self.known.is_some_and(|known| known.version > 0),
        };
        let is_refresh = sent.is_some() && was_stored;
        NewToken { token, login, is_refresh, known: self.known, stored, logouts_before: self.logouts_before }
    }
}
