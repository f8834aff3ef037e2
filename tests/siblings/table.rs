//! The table at the end of a run.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::child::TASKS;
use crate::course::Course;
use crate::fleet::PROCESSES;
use crate::plan::{GONE, STILL};
use crate::report::Counts;

impl Course {
    /// Where `cargo test` shows it, even of a test that passes: `eprintln!` would be captured.
    pub(crate) fn print(&self, faults: &[String]) {
        let mut text = format!("\nOne login, many siblings: {}\n", self.store);
        for (name, value) in self.rows() {
            text.push_str(&format!("  {name:<47} {value}\n"));
        }
        let odd = self.ledger.unexplained().flat_map(|(_, page)| &page.odd);
        odd.take(20).for_each(|odd| text.push_str(&format!("  odd: {odd}\n")));
        faults.iter().for_each(|fault| text.push_str(&format!("  FAULT: {fault}\n")));
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let (ledger, stats, kills) = (&self.ledger, &self.stats, &self.ledger.kills);
        let ms = |micros: u64| format!("{:.1}", micros as f64 / 1000.0);
        let (median, longest_gap) = ledger.gap();
        let longest = ledger.pages.values().map(|page| page.counts.longest_ms).max().unwrap_or_default();
        let unexplained: u64 = ledger.unexplained().map(|(_, page)| page.counts.refused).sum();
        let adopted = ledger.sum(|counts| counts.tokens.saturating_sub(counts.own));
        let outages = match self.with_server {
            true => format!("stood still {STILL:?}; killed, and restarted {GONE:?} later"),
            false => "none".to_owned(),
        };
        vec![
            ("seconds (seed)", format!("{} ({})", self.length.as_secs(), self.seed)),
            ("processes at a time x tasks", format!("{PROCESSES} x {TASKS}")),
            ("processes in all", ledger.pages.len().to_string()),
            (
                "API requests, as the server counts / 200 / 401",
                format!("{} / {} / {}", stats.answers, stats.served, stats.unauthorized),
            ),
            ("waited over 1 s / longest ms", format!("{} / {longest}", ledger.sum(|c| c.waited))),
            (
                "401 unexplained / by the server's whole seconds",
                format!("{} / {}", unexplained, ledger.sum(|c| c.refused_late)),
            ),
            ("errors unexplained", self.kinds(|counts| &counts.errors)),
            ("renewals of the fleet", stats.refreshes.to_string()),
            ("smallest possible / most allowed", format!("{} / {}", self.smallest_possible(), self.most_allowed())),
            (
                "turns / two at once / token calls without",
                format!("{} / {} / {}", ledger.turns(), ledger.overlaps(), ledger.without_turn),
            ),
            ("tokens taken over from siblings", adopted.to_string()),
            (
                "kills / with the turn / in the call / in the gap",
                format!("{} / {} / {} / {}", kills.all, kills.with_turn, kills.during_call, kills.in_gap),
            ),
            ("gap from answer to save, ms: median / max", format!("{} / {}", ms(median), ms(longest_gap))),
            ("server of the store", outages),
            ("errors of the store that were told", self.kinds(|counts| &counts.told)),
            ("logins lost to a kill in the call or the gap", ledger.excused.to_string()),
            ("token calls refused / logins revoked", format!("{} / {}", stats.refusals, stats.revoked)),
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
