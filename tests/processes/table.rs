//! The table at the end of a run.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::child::TASKS;
use crate::course::Course;
use crate::fleet::PROCESSES;
use crate::plan::{GONE, STILL};
use crate::report::Counts;

impl Course {
    /// Prints to standard error, because `cargo test` captures `eprintln!` of a test that passes.
    pub(crate) fn print(&self, faults: &[String]) {
        let mut text = format!("\nOne login, several processes: {}\n", self.store);
        for (name, value) in self.rows() {
            text.push_str(&format!("  {name:<47} {value}\n"));
        }
        let odd = self.ledger.unexplained().flat_map(|(_, page)| &page.odd);
        // Errors that the logout explains are in another row.
        let odd = odd.filter(|odd| !self.logout.happened || !odd.contains("LoginRequired"));
        odd.take(20).for_each(|odd| text.push_str(&format!("  odd: {odd}\n")));
        faults.iter().for_each(|fault| text.push_str(&format!("  FAULT: {fault}\n")));
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let (ledger, stats, kills) = (&self.ledger, &self.stats, &self.ledger.kills);
        let ms = |micros: u64| format!("{:.1}", micros as f64 / 1000.0);
        let (median, longest_gap) = ledger.gap();
        let longest = ledger.pages.values().map(|page| page.counts.longest_ms).max().unwrap_or_default();
        let unexplained: u64 = ledger.unexplained().map(|(_, page)| page.counts.rejected).sum();
        let adopted = ledger.sum(|counts| counts.tokens.saturating_sub(counts.own));
        let outages = match self.with_server {
            true => format!("paused for {STILL:?}; killed, and restarted {GONE:?} later"),
            false => "none".to_owned(),
        };
        vec![
            ("seconds (seed)", format!("{} ({})", self.length.as_secs(), self.seed)),
            ("processes at a time x tasks", format!("{PROCESSES} x {TASKS}")),
            ("processes in all", ledger.pages.len().to_string()),
            (
                "API requests, as the server counts / 200 / 401",
                format!("{} / {} / {}", stats.responses, stats.served, stats.unauthorized),
            ),
            ("waited over 1 s / longest ms", format!("{} / {longest}", ledger.sum(|c| c.waited))),
            (
                "401 without an explanation / after the expiry",
                format!("{} / {}", unexplained, ledger.sum(|c| c.rejected_late)),
            ),
            ("errors without an explanation", self.kinds(|counts| &counts.errors)),
            ("refreshes of all processes", stats.refreshes.to_string()),
            ("minimum / maximum", format!("{} / {}", self.min_refreshes(), self.max_refreshes())),
            (
                "locks / overlaps / token requests without the lock",
                format!("{} / {} / {}", ledger.locks(), ledger.overlaps(), ledger.without_lock),
            ),
            ("tokens of other processes that were used", adopted.to_string()),
            (
                "kills / with lock / in token request / before save",
                format!("{} / {} / {} / {}", kills.all, kills.with_lock, kills.during_request, kills.in_gap),
            ),
            ("time from response to save, ms: median / max", format!("{} / {}", ms(median), ms(longest_gap))),
            ("server of the store", outages),
            (
                "logout: undone / not detected / not replaced",
                format!("{} / {} / {}", self.logout.undone, self.logout.unaware, self.logout.stuck),
            ),
            ("errors of the store", self.kinds(|counts| &counts.store_errors)),
            ("logins lost by a kill in that time", ledger.excused.to_string()),
            ("token requests rejected / logins revoked", format!("{} / {}", stats.rejections, stats.revoked)),
        ]
    }

    fn kinds(&self, of: impl Fn(&Counts) -> &BTreeMap<String, u64>) -> String {
        let mut kinds = BTreeMap::<&str, u64>::new();
        for (kind, count) in self.ledger.unexplained().flat_map(|(_, page)| of(&page.counts)) {
            *kinds.entry(kind).or_default() += count;
        }
        if kinds.is_empty() {
            return "none".to_owned();
        }
        kinds.iter().map(|(kind, count)| format!("{count} x {kind}")).collect::<Vec<_>>().join(", ")
    }
}
