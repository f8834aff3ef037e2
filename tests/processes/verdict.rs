//! The checks at the end of a run.

use std::time::Duration;

use crate::course::Course;
use crate::fleet::PROCESSES;
use crate::login::LIFETIME;

impl Course {
    /// Prints the table, and checks the results.
    pub(crate) fn check(self) {
        let faults = self.faults();
        self.print(&faults);
        assert!(faults.is_empty(), "{faults:#?}");
    }

    /// The minimum number of refreshes: each token is used until its clock skew, a tenth of its lifetime before its expiry.
    pub(crate) fn min_refreshes(&self) -> u64 {
        self.length.as_millis().div_ceil((LIFETIME * 9 / 10).as_millis()) as u64
    }

    /// The maximum number of refreshes. The layer refreshes at half of the remaining lifetime, of which a stored token has lost up to a second,
    /// because `expires_at` has whole seconds. A refresh that was interrupted is repeated. A new login makes the run a few seconds longer.
    pub(crate) fn max_refreshes(&self) -> u64 {
        let shortest = (LIFETIME - Duration::from_secs(1)) / 2;
        let disturbances = self.ledger.kills.all
            + if self.with_server { 2 } else { 0 }
            + 3 * self.ledger.excused
            + if self.logout.happened { 12 } else { 0 };
        self.length.as_millis().div_ceil(shortest.as_millis()) as u64 + disturbances
    }

    fn faults(&self) -> Vec<String> {
        let (ledger, stats) = (&self.ledger, &self.stats);
        let mut faults = Vec::new();
        let mut expect = |holds: bool, otherwise: String| {
            if !holds {
                faults.push(otherwise);
            }
        };
        expect(ledger.lost().is_none(), format!("logged out: {}", ledger.lost().unwrap_or_default()));
        expect(self.final_check.is_ok(), self.final_check.clone().err().unwrap_or_default());
        expect(stats.revoked <= ledger.excused, format!("{} logins were revoked by the server", stats.revoked));
        let logout = &self.logout;
        expect(stats.logins == 1 + u64::from(logout.happened) + ledger.excused, format!("{} logins", stats.logins));
        expect(logout.happened || ledger.lost().is_some(), "there was no logout".to_owned());
        expect(logout.undone == 0, format!("the logout was undone: {} times an entry was found", logout.undone));
        expect(logout.unaware == 0, format!("{} processes did not detect the logout", logout.unaware));
        expect(logout.stuck == 0, format!("{} processes did not use the other login", logout.stuck));
        expect(self.stored == logout.other, "the other login is not stored at the end".to_owned());
        // These show a broken lock before the server can detect it. No kill explains them.
        expect(ledger.overlaps() == 0, format!("{} times two processes had the lock", ledger.overlaps()));
        expect(ledger.without_lock == 0, format!("{} token requests without the lock", ledger.without_lock));
        expect(
            stats.rejections == 0 || ledger.excused > 0,
            format!("the server rejected {} token requests", stats.rejections),
        );
        expect(
            (self.min_refreshes() / 2..=self.max_refreshes()).contains(&stats.refreshes),
            format!("{} refreshes, of at most {}", stats.refreshes, self.max_refreshes()),
        );
        // It has to be as short as one save, on a busy machine with a slow disk.
        expect(ledger.gap().0 < 250_000, format!("{} us from a response to its save", ledger.gap().0));
        for (number, page) in ledger.unexplained() {
            let counts = &page.counts;
            let unexpected = counts.errors.keys().any(|kind| kind != "LoginRequired" || !page.may_need_a_login());
            expect(!unexpected, format!("process {number}: {:?}", counts.errors));
            expect(counts.rejected == 0, format!("process {number}: {} tokens were rejected", counts.rejected));
            expect(
                counts.store_errors.is_empty() || self.with_server,
                format!("process {number}: store errors {:?}", counts.store_errors),
            );
        }
        let last = ledger.pages.len().saturating_sub(PROCESSES);
        for (number, page) in ledger.pages.iter().filter(|(number, _)| **number < PROCESSES || **number >= last) {
            expect(
                page.counts.served > 0 || page.was_killed(),
                format!("process {number} has sent no successful request"),
            );
        }
        faults
    }
}
