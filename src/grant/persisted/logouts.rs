//! The order of the logouts of this process and the refreshes that they end.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// The number of logouts of this process. A refresh that started before a logout does not save its token.
static LOGOUTS: AtomicU64 = AtomicU64::new(0);

/// The logouts that clear one entry, shared by the clones of a grant.
#[derive(Debug, Default)]
pub(super) struct Logouts {
    /// The number of the last logout that has not failed.
    last: AtomicU64,
    /// The number of logouts that have neither succeeded nor failed.
    pending: watch::Sender<usize>,
}

/// A logout that is pending until this is dropped. It ends earlier refreshes, unless it has [failed](Self::failed).
pub(super) struct Logout<'a> {
    logouts: &'a Logouts,
    number: u64,
    /// The number of the last logout of this entry before this one.
    previous: u64,
}

/// Returns the number of logouts of this process so far.
pub(super) fn count() -> u64 {
    LOGOUTS.load(Ordering::SeqCst)
}

impl Logouts {
    /// Starts a logout. The tokens of running refreshes are not saved any more.
    pub(super) fn begin(&self) -> Logout<'_> {
        self.pending.send_modify(|pending| *pending += 1);
        let number = LOGOUTS.fetch_add(1, Ordering::SeqCst) + 1;
        Logout { logouts: self, number, previous: self.last.fetch_max(number, Ordering::SeqCst) }
    }

    /// Returns whether there was a logout after an earlier [`count`]. Waits for the outcome of a pending logout.
    pub(super) async fn any_after(&self, count: u64) -> bool {
        if self.is_after(count) {
            // `self` holds the sender.
            let _ = self.pending.subscribe().wait_for(|pending| *pending == 0).await;
        }
        self.is_after(count)
    }

    fn is_after(&self, count: u64) -> bool {
        self.last.load(Ordering::SeqCst) > count
    }
}

impl Logout<'_> {
    /// Undoes the logout, because the entry could not be removed. Other logouts are not affected.
    pub(super) fn failed(&self) {
        let _ = self.logouts.last.compare_exchange(self.number, self.previous, Ordering::SeqCst, Ordering::SeqCst);
    }
}

impl Drop for Logout<'_> {
    fn drop(&mut self) {
        self.logouts.pending.send_modify(|pending| *pending -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    #[test]
    fn a_logout_ends_earlier_refreshes_of_the_same_entry() {
        let any_after = |logouts: &Logouts, count| assert_ready!(task::spawn(logouts.any_after(count)).poll());
        let (one, other) = (Logouts::default(), Logouts::default());
        let before = count();
        drop(one.begin());
        assert!(any_after(&one, before) && !any_after(&other, before));
        assert!(!any_after(&one, count()));

        let before = count();
        one.begin().failed();
        assert!(!any_after(&one, before));
        let (failed, succeeded) = (one.begin(), one.begin());
        failed.failed();
        drop((failed, succeeded));
        assert!(any_after(&one, before), "the other one counts");
    }

    #[test]
    fn the_outcome_of_a_pending_logout_is_waited_for() {
        let logouts = Logouts::default();
        let before = count();
        let logout = logouts.begin();
        let mut any_after = task::spawn(logouts.any_after(before));
        assert_pending!(any_after.poll());
        logout.failed();
        drop(logout);
        assert!(any_after.is_woken());
        assert!(!assert_ready!(any_after.poll()));
    }
}
