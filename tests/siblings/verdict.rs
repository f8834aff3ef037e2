//! What a run has to show.

use std::time::Duration;

use crate::course::Course;
use crate::fleet::PROCESSES;
use crate::login::LIFETIME;

impl Course {
    /// The table, and the verdict.
    pub(crate) fn ends(self) {
        let faults = self.faults();
        self.print(&faults);
        assert!(faults.is_empty(), "{faults:#?}");
    }

    /// As few renewals as the lifetime allows: each token until its skew, a tenth of its lifetime before its end.
    pub(crate) fn smallest_possible(&self) -> u64 {
        self.length.as_millis().div_ceil((LIFETIME * 9 / 10).as_millis()) as u64
    }

    /// As many as may be. The layer renews at half of what a token has left, and a stored token has lost up to a second of it,
    /// for `expires_at` counts whole ones. What was killed or disturbed may have been a renewal, to be done again; and the few
    /// seconds of a new login come on top of the run.
    pub(crate) fn most_allowed(&self) -> u64 {
        let shortest = (LIFETIME - Duration::from_secs(1)) / 2;
        let disturbances = self.ledger.kills.all + if self.with_server { 2 } else { 0 } + 3 * self.ledger.excused;
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
        expect(self.last_look.is_ok(), self.last_look.clone().err().unwrap_or_default());
        expect(stats.revoked <= ledger.excused, format!("{} logins were revoked by the server", stats.revoked));
        expect(stats.logins == 1 + ledger.excused, format!("{} logins", stats.logins));
        // These show a lock that does not hold before the server has a chance to, and no kill excuses them.
        expect(ledger.overlaps() == 0, format!("{} times two had the turn at once", ledger.overlaps()));
        expect(ledger.without_turn == 0, format!("{} token calls without the turn", ledger.without_turn));
        expect(stats.refusals == 0 || ledger.excused > 0, format!("the server refused {} token calls", stats.refusals));
        expect(
            (self.smallest_possible() / 2..=self.most_allowed()).contains(&stats.refreshes),
            format!("{} renewals, of at most {}", stats.refreshes, self.most_allowed()),
        );
        // It has to be as short as one save. A busy machine and a slow disk are allowed for; a detour is not.
        expect(ledger.gap().0 < 250_000, format!("{} us from an answer to its save", ledger.gap().0));
        for (number, page) in ledger.unexplained() {
            let counts = &page.counts;
            expect(counts.errors.is_empty(), format!("process {number}: {:?}", counts.errors));
            expect(counts.refused == 0, format!("process {number}: {} tokens were refused", counts.refused));
            expect(
                counts.told.is_empty() || self.with_server,
                format!("process {number} was told of {:?}", counts.told),
            );
        }
        let last = ledger.pages.len().saturating_sub(PROCESSES);
        for (number, page) in ledger.pages.iter().filter(|(number, _)| **number < PROCESSES || **number >= last) {
            expect(page.counts.served > 0 || page.was_killed(), format!("process {number} has served nothing"));
        }
        faults
    }
}
