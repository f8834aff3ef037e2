//! Tokens that the API rejects or accepts, and tokens that the user invalidates.

use crate::reference::Reference;
use crate::time::{Certainty, Moment};

impl Reference {
    /// Invalidates the token, regardless of its state.
    pub(crate) fn invalidate(&mut self) {
        self.invalidated = self.token.is_some();
    }

    /// Returns whether the newest token must not be sent, regardless of its age.
    pub(crate) fn unusable(&self) -> Certainty {
        if self.invalidated { Certainty::Yes } else { self.withheld }
    }

    /// Returns whether the token request of a rejection has not started yet.
    pub(crate) fn needs_rejection_refresh(&self) -> Certainty {
        self.rejection_refresh
    }

    /// Records a rejection by the API. Returns whether a newer token exists or can be obtained now.
    ///
    /// The first rejected token is refreshed immediately, its successors after the back-off.
    pub(crate) fn reject(&mut self, access: &str, now: Moment) -> Certainty {
        if !self.is_newest(access) || self.unusable().is() {
            return Certainty::Yes;
        }
        let is_running = if self.refreshing {
            Certainty::Yes
        } else {
            self.starting.or(Certainty::perhaps_if(self.fails_without_request))
        };
        let doubt = self.unusable().not();
        let may_start = self.series.rejected(now).and(self.failing(now).not()).and(doubt);
        let starts = is_running.not().and(may_start);
        if starts.may_be() {
            self.series.refreshed(now, self.jitter, starts);
        }
        let may_get_newer = is_running.or(starts);
        if !self.connected && self.credential().is_none() {
            // Another request in this step may fail without a token request, which makes the token valid again.
            self.withheld = self.withheld.or(may_get_newer.and(Certainty::Perhaps));
        } else if !self.accepted || !self.connected {
            self.withheld = self.withheld.or(if self.accepted { starts } else { may_get_newer });
        }
        if starts.may_be() && self.connected {
            if self.credential().is_none() {
                self.fail_without_request(Certainty::No, now);
            } else {
                (self.starting, self.rejection_refresh) = (self.starting.or(starts), starts);
            }
        }
        may_get_newer
    }

    /// Returns whether several tokens were rejected in a row.
    pub(crate) fn is_in_series(&self) -> bool {
        self.series.is_long()
    }

    /// Returns whether the newest token is in use while it is refreshed.
    pub(crate) fn is_refreshed_in_use(&self) -> bool {
        self.accepted && self.refreshing && !self.unusable().may_be()
    }

    /// Records that the API has accepted the token.
    pub(crate) fn accept(&mut self, access: &str) {
        self.accepted |= self.is_newest(access);
    }
}
