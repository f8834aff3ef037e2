//! What was heard of all processes, and what follows from it.

use std::collections::BTreeMap;

use crate::fleet::Event;
use crate::report::{Counts, Line, now};

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) pages: BTreeMap<usize, Page>,
    /// From the answer to a token call until its token was saved, in microseconds.
    pub(crate) gaps: Vec<u64>,
    pub(crate) kills: Kills,
    /// Logins that a kill in the call or the gap has cost, and that were replaced by new ones.
    pub(crate) excused: u64,
    /// Who was started before this one belongs to a login that is over, and what they say of it is known.
    era: usize,
    /// When a process had the turn: from, to.
    turns: Vec<(u64, u64)>,
    /// Token calls of those who had not.
    pub(crate) without_turn: u64,
    last_save: u64,
    /// The last kill that may have cost the login.
    suspect: Option<u64>,
    lost: Option<String>,
}

/// Kills, and those of them that took along the turn, came during a token call, or between its answer and the save.
#[derive(Default)]
pub(crate) struct Kills {
    pub(crate) all: u64,
    pub(crate) with_turn: u64,
    pub(crate) during_call: u64,
    pub(crate) in_gap: u64,
}

/// What was heard of one process.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) counts: Counts,
    /// In words, the first of each kind.
    pub(crate) odd: Vec<String>,
    /// A kill has cost its login: its errors have their reason.
    pub(crate) excused: bool,
    pub(crate) ended: bool,
    killed: Option<u64>,
    turn: Option<u64>,
    open: Open,
}

/// What a kill now would break.
#[derive(Default)]
enum Open {
    #[default]
    Nothing,
    /// Others wait.
    Turn,
    /// The server may spend the refresh token any moment.
    Call,
    /// It has, and the new one is in the memory of this process alone, since then.
    Gap(u64),
}

impl Page {
    pub(crate) fn was_killed(&self) -> bool {
        self.killed.is_some()
    }
}

impl Ledger {
    pub(crate) fn take(&mut self, number: usize, event: Event) {
        let page = self.pages.entry(number).or_default();
        match event {
            Event::Said(Line::Turn { at }) => (page.open, page.turn) = (Open::Turn, Some(at)),
            Event::Said(Line::Released { at }) => {
                page.open = Open::Nothing;
                self.turns.extend(page.turn.take().map(|from| (from, at)));
            }
            Event::Said(Line::Asked { .. }) => {
                self.without_turn += u64::from(page.turn.is_none());
                page.open = Open::Call;
            }
            Event::Said(Line::Answered { at, status }) => {
                page.open = if status == Some(200) { Open::Gap(at) } else { Open::Turn };
            }
            Event::Said(Line::Saved { at, whole: true }) => {
                if let Open::Gap(since) = std::mem::replace(&mut page.open, Open::Turn) {
                    self.gaps.push(at.saturating_sub(since));
                }
                self.last_save = self.last_save.max(at);
            }
            Event::Said(Line::Saved { whole: false, .. }) => {}
            Event::Said(Line::Counts(counts)) => page.counts = counts,
            Event::Said(Line::Login) => self.lose(number, "a person was asked to log in".to_owned()),
            Event::Said(Line::Odd { kind, text }) => {
                page.odd.push(format!("process {number}: {kind}: {text}"));
                if kind == "LoginNeeded" {
                    self.lose(number, text);
                }
            }
            Event::Ended => {
                page.ended = true;
                let Some(killed) = page.killed else { return };
                self.turns.extend(page.turn.take().map(|from| (from, killed)));
                match page.open {
                    Open::Nothing => return,
                    Open::Turn => {
                        self.kills.with_turn += 1;
                        return;
                    }
                    Open::Call => self.kills.during_call += 1,
                    Open::Gap(_) => self.kills.in_gap += 1,
                }
                self.suspect = self.suspect.max(Some(killed));
            }
        }
    }

    /// A process is killed now.
    pub(crate) fn kill(&mut self, number: usize) {
        self.kills.all += 1;
        self.pages.entry(number).or_default().killed = Some(now());
    }

    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Whether a kill explains the loss: if somebody has renewed since, the login had survived it.
    pub(crate) fn is_excused(&self) -> bool {
        self.suspect.is_some_and(|killed| killed > self.last_save)
    }

    /// There is a new login, for those who are started from now on.
    pub(crate) fn begin_anew(&mut self, started: usize) {
        self.excused += 1;
        self.era = started;
        (self.suspect, self.lost) = (None, None);
        self.pages.values_mut().filter(|page| page.killed.is_none()).for_each(|page| page.excused = true);
    }

    /// The gap, in microseconds: median and longest.
    pub(crate) fn gap(&self) -> (u64, u64) {
        let mut gaps = self.gaps.clone();
        gaps.sort_unstable();
        let median = gaps.get(gaps.len() / 2).copied();
        (median.unwrap_or_default(), gaps.last().copied().unwrap_or_default())
    }

    pub(crate) fn turns(&self) -> usize {
        self.turns.len()
    }

    /// How often one got the turn while another had it.
    pub(crate) fn overlaps(&self) -> usize {
        let mut turns = self.turns.clone();
        turns.sort_unstable();
        turns.windows(2).filter(|two| two[1].0 < two[0].1).count()
    }

    pub(crate) fn all_ended(&self, started: usize) -> bool {
        self.pages.len() == started && self.pages.values().all(|page| page.ended)
    }

    pub(crate) fn sum(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        self.pages.values().map(|page| of(&page.counts)).sum()
    }

    /// Those whose errors nothing has explained yet.
    pub(crate) fn unexplained(&self) -> impl Iterator<Item = (&usize, &Page)> {
        self.pages.iter().filter(|(_, page)| !page.excused)
    }

    fn lose(&mut self, number: usize, why: String) {
        if number >= self.era {
            self.lost.get_or_insert(format!("process {number}: {why}"));
        }
    }
}
