//! Decides whether a challenge starts a refresh, so that an API that demands more without end does not cause logins without end.

use std::collections::VecDeque;
use std::time::Duration;

use crate::challenge::Demand;
use crate::clock::{Deadline, Now};
use crate::token::Token;

/// How many refreshes in a row may be without success: their requests are challenged again.
const MAX_FRUITLESS: u32 = 3;
/// How many refreshes for challenges a cell starts within [`PERIOD`].
const MAX_STARTS: usize = 20;
/// How long nothing starts after too many fruitless refreshes.
const PERIOD: Duration = Duration::from_secs(10 * 60);

/// What a cell remembers about the challenges that arrived.
#[derive(Debug, Default)]
pub(super) struct ChallengeSeries {
    /// What arrived during a refresh that does not ask for it. The next refresh takes it.
    waiting: Option<Demand>,
    /// When the last refreshes for challenges become too old to count.
    starts: VecDeque<Deadline>,
    fruitless: u32,
    /// The generation whose challenged repetition was counted last.
    counted: u64,
    paused_until: Option<Deadline>,
    /// The demands for which no token could be obtained, the last one at the end.
    failed: Vec<FailedDemand>,
}

/// A demand for which no token could be obtained.
#[derive(Debug)]
struct FailedDemand {
    demand: Demand,
    generation: u64,
    /// How often it has failed in a row.
    failures: u32,
    /// Until then it starts nothing; `None` is until the next token, or a call of the user.
    until: Option<Deadline>,
}

/// A challenge to the current token.
pub(super) struct ChallengedToken<'a> {
    pub(super) token: &'a Token,
    pub(super) generation: u64,
    /// Whether the request was repeated because of an earlier challenge.
    pub(super) is_repeated: bool,
    /// What the running refresh asks for: `Some(None)` if it has another reason.
    pub(super) running: Option<Option<&'a Demand>>,
}

/// What follows from a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChallengeOutcome {
    /// The response passes: it demands nothing new, or too much was tried before.
    Pass,
    /// A repeated request waits for the running refresh.
    Wait,
    /// The caller must start a refresh for this demand.
    Start(Demand),
}

impl ChallengeSeries {
    /// Decides about a challenge.
    pub(super) fn decide(&mut self, demand: &Demand, challenged: &ChallengedToken<'_>, now: Now) -> ChallengeOutcome {
        let ChallengedToken { token, generation, is_repeated, running } = *challenged;
        if is_repeated && self.counted != generation {
            self.counted = generation;
            self.fruitless += 1;
            if self.fruitless >= MAX_FRUITLESS {
                self.fruitless = 0;
                self.paused_until = Some(Deadline::from_now(now, PERIOD));
            }
        }
        let is_satisfied = token.satisfies(demand, now);
        if is_satisfied || self.is_paused(now) || self.has_failed(demand, generation, now) {
            return ChallengeOutcome::Pass;
        }
        match running {
            Some(Some(asked)) if asked.includes(demand) => ChallengeOutcome::Wait,
            Some(_) => {
                self.wait(demand.clone());
                ChallengeOutcome::Wait
            }
            None => {
                self.record_start(now);
                ChallengeOutcome::Start(demand.clone())
            }
        }
    }

    /// Keeps a demand for the next refresh.
    pub(super) fn wait(&mut self, demand: Demand) {
        self.waiting.get_or_insert_default().merge(demand);
    }

    #[cfg(all(test, tower_oauth2_loom))]
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Returns what the next refresh must ask for after one has ended with this token, if it can start.
    pub(super) fn take_waiting(&mut self, token: &Token, now: Now) -> Option<Demand> {
        let waiting = self.waiting.take()?;
        let is_satisfied = token.satisfies(&waiting, now);
        if is_satisfied || self.is_paused(now) {
            return None;
        }
        self.record_start(now);
        Some(waiting)
    }

    /// Records that a repeated request was not challenged again.
    pub(super) fn record_success(&mut self) {
        self.fruitless = 0;
    }

    /// Returns how often a demand for the token of `generation` has failed in a row.
    pub(super) fn failures(&self, demand: &Demand, generation: u64) -> u32 {
        let failed = self.failed.iter().find(|failed| failed.generation == generation && failed.demand == *demand);
        failed.map_or(0, |failed| failed.failures)
    }

    /// Records that no token could be obtained for a demand. `until` is the end of the back-off; `None` is until a person acts.
    pub(super) fn record_failure(&mut self, demand: &Demand, generation: u64, until: Option<Deadline>) {
        self.waiting = None;
        let failures = self.failures(demand, generation).saturating_add(1);
        self.failed.retain(|failed| failed.generation == generation && failed.demand != *demand);
        if self.failed.len() == MAX_STARTS {
            self.failed.remove(0);
        }
        self.failed.push(FailedDemand { demand: demand.clone(), generation, failures, until });
    }

    /// Starts again after another token was set, or the token was forgotten.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Starts again after a call of the user. What waits for the running refresh still waits.
    pub(super) fn lift_guards(&mut self) {
        *self = Self { waiting: self.waiting.take(), ..Self::default() };
    }

    fn record_start(&mut self, now: Now) {
        self.starts.push_back(Deadline::from_now(now, PERIOD));
    }

    fn is_paused(&mut self, now: Now) -> bool {
        self.starts.retain(|end| !end.passed(now));
        self.starts.len() >= MAX_STARTS || self.paused_until.is_some_and(|until| !until.passed(now))
    }

    /// Returns whether the demand starts nothing, because it has failed.
    pub(super) fn has_failed(&self, demand: &Demand, generation: u64, now: Now) -> bool {
        self.failed.iter().any(|failed| {
            failed.generation == generation
                && match failed.until {
                    Some(until) => failed.demand == *demand && !until.passed(now),
                    // A login was denied. Another demand would ask the same person again.
                    None => true,
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::clock;

    fn scope(names: &[&str]) -> Demand {
        Demand { scope: names.iter().map(|name| (*name).to_owned()).collect(), ..Demand::default() }
    }

    fn token(scope: &str) -> Token {
        serde_json::from_value(serde_json::json!({"access_token": "a", "scope": scope})).unwrap()
    }

    fn challenged(token: &Token, generation: u64, is_repeated: bool) -> ChallengedToken<'_> {
        ChallengedToken { token, generation, is_repeated, running: None }
    }

    /// Returns a time after the start of the tests. It does not depend on how long they take, for example in an interpreter.
    fn later(seconds: u64) -> Now {
        static START: LazyLock<Now> = LazyLock::new(clock::now);
        START.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn g1_a_demand_for_nothing_new_starts_nothing() {
        let (mut series, token, now) = (ChallengeSeries::default(), token("read write"), clock::now());
        assert_eq!(series.decide(&scope(&["read"]), &challenged(&token, 1, false), now), ChallengeOutcome::Pass);
        let more = scope(&["read", "admin"]);
        assert_eq!(series.decide(&more, &challenged(&token, 1, false), now), ChallengeOutcome::Start(more.clone()));
    }

    #[test]
    fn g2_three_fruitless_refreshes_end_the_series_for_ten_minutes() {
        let (mut series, token) = (ChallengeSeries::default(), token("read"));
        let demand = scope(&["admin"]);
        for generation in 1..=2 {
            let outcome = series.decide(&demand, &challenged(&token, generation, true), later(0));
            assert_eq!(outcome, ChallengeOutcome::Start(demand.clone()));
            // The same generation counts once.
            series.decide(&demand, &challenged(&token, generation, true), later(0));
        }
        let third = challenged(&token, 3, true);
        assert_eq!(series.decide(&demand, &third, later(0)), ChallengeOutcome::Pass);
        assert_eq!(series.decide(&demand, &challenged(&token, 4, false), later(599)), ChallengeOutcome::Pass);
        let after = series.decide(&demand, &challenged(&token, 4, false), later(601));
        assert_eq!(after, ChallengeOutcome::Start(demand.clone()));
        series.decide(&demand, &challenged(&token, 5, true), later(601));
        series.decide(&demand, &challenged(&token, 6, true), later(601));
        series.record_success();
        let after = series.decide(&demand, &challenged(&token, 7, true), later(601));
        assert_eq!(after, ChallengeOutcome::Start(demand), "a success in between ends the row");
    }

    #[test]
    fn g2_a_cell_starts_at_most_twenty_refreshes_in_ten_minutes() {
        let (mut series, token) = (ChallengeSeries::default(), token("read"));
        for number in 0..20 {
            let demand = scope(&[number.to_string().as_str()]);
            assert_eq!(
                series.decide(&demand, &challenged(&token, number, false), later(number)),
                ChallengeOutcome::Start(demand)
            );
        }
        let demand = scope(&["x"]);
        let decide =
            |series: &mut ChallengeSeries, at| series.decide(&demand, &challenged(&token, 30, false), later(at));
        assert_eq!(decide(&mut series, 599), ChallengeOutcome::Pass);
        assert_eq!(decide(&mut series, 602), ChallengeOutcome::Start(demand.clone()));
        series.reset();
        assert_eq!(decide(&mut series, 0), ChallengeOutcome::Start(demand.clone()), "a call of the user");
    }

    #[test]
    fn g3_a_failed_demand_starts_nothing_until_its_back_off_has_passed() {
        let (mut series, token) = (ChallengeSeries::default(), token("read"));
        let (demand, other) = (scope(&["admin"]), scope(&["more"]));
        let decide = |series: &mut ChallengeSeries, demand: &Demand, generation, at| {
            series.decide(demand, &challenged(&token, generation, false), later(at)) != ChallengeOutcome::Pass
        };
        series.record_failure(&demand, 1, Some(Deadline::from_now(later(0), Duration::from_secs(5))));
        assert!(!decide(&mut series, &demand, 1, 4));
        assert!(decide(&mut series, &other, 1, 4), "another demand");
        assert!(decide(&mut series, &demand, 2, 4), "a newer token");
        assert!(decide(&mut series, &demand, 1, 6));
        series.record_failure(&demand, 1, None);
        assert!(!decide(&mut series, &demand, 1, 6000) && !decide(&mut series, &other, 1, 6000));
        assert!(decide(&mut series, &demand, 2, 0));
    }

    #[test]
    fn g4_challenges_during_a_refresh_are_shared_or_wait_for_the_next_one() {
        let (mut series, token, now) = (ChallengeSeries::default(), token("read"), clock::now());
        let (asked, demand) = (scope(&["a", "b"]), scope(&["c"]));
        let running = |running| ChallengedToken { token: &token, generation: 1, is_repeated: false, running };
        assert_eq!(series.decide(&scope(&["a"]), &running(Some(Some(&asked))), now), ChallengeOutcome::Wait);
        assert_eq!(series.take_waiting(&token, now), None, "the running refresh asks for it");
        assert_eq!(series.decide(&demand, &running(Some(Some(&asked))), now), ChallengeOutcome::Wait);
        assert_eq!(series.decide(&scope(&["d"]), &running(Some(None)), now), ChallengeOutcome::Wait);
        assert_eq!(series.take_waiting(&token, now), Some(scope(&["c", "d"])));
        assert_eq!(series.take_waiting(&token, now), None);
        series.decide(&demand, &running(Some(None)), now);
        assert_eq!(series.take_waiting(&self::token("c"), now), None, "the refresh brought it");
    }
}
