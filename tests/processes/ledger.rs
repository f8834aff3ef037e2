//! Records the events of all processes, and evaluates them.

use std::collections::BTreeMap;

use crate::fleet::Event;
use crate::report::{Counts, Line, now};

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) pages: BTreeMap<usize, Page>,
    /// The times from the response to a token request until its token was saved, in microseconds.
    pub(crate) gaps: Vec<u64>,
    pub(crate) kills: Kills,
    /// The number of logins that were lost by a kill during a token request or before the save, and were replaced.
    pub(crate) excused: u64,
    /// The number of the first process of the current login. Earlier processes may report that their login was lost.
    era: usize,
    /// The times at which processes took and released the lock.
    locks: Vec<(u64, u64)>,
    /// Token requests of processes without the lock.
    pub(crate) without_lock: u64,
    /// Whether there was a logout, so that `LoginRequired` is expected.
    expects_logout: bool,
    last_save: u64,
    /// The last kill that may have cost the login.
    suspect: Option<u64>,
    lost: Option<String>,
}

/// The number of kills: all, while the process had the lock, during a token request, and between its response and the save.
#[derive(Default)]
pub(crate) struct Kills {
    pub(crate) all: u64,
    pub(crate) with_lock: u64,
    pub(crate) during_request: u64,
    pub(crate) in_gap: u64,
}

/// The events of one process.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) counts: Counts,
    /// The first error of each kind.
    pub(crate) odd: Vec<String>,
    /// Whether its login was lost by a kill, which explains its errors.
    pub(crate) excused: bool,
    pub(crate) ended: bool,
    knows_of_logout: bool,
    killed: Option<u64>,
    locked: Option<u64>,
    open: Open,
}

/// What a kill would interrupt.
#[derive(Default)]
enum Open {
    #[default]
    Nothing,
    /// It has the lock.
    Locked,
    /// It has sent a token request. The server may replace the refresh token at any moment.
    Request,
    /// The server has replaced the refresh token, and only this process has the new one, since that time.
    Gap(u64),
}

impl Page {
    /// Whether it has reported `LoginRequired` after a logout.
    pub(crate) fn may_need_a_login(&self) -> bool {
        self.knows_of_logout
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.killed.is_some()
    }
}

impl Ledger {
    pub(crate) fn take(&mut self, number: usize, event: Event) {
        let page = self.pages.entry(number).or_default();
        match event {
            Event::Printed(Line::Locked { at }) => (page.open, page.locked) = (Open::Locked, Some(at)),
            Event::Printed(Line::Released { at }) => {
                page.open = Open::Nothing;
                self.locks.extend(page.locked.take().map(|from| (from, at)));
            }
            Event::Printed(Line::Requested { .. }) => {
                self.without_lock += u64::from(page.locked.is_none());
                page.open = Open::Request;
            }
            Event::Printed(Line::Responded { at, status }) => {
                page.open = if status == Some(200) { Open::Gap(at) } else { Open::Locked };
            }
            Event::Printed(Line::Saved { at, whole: true }) => {
                if let Open::Gap(since) = std::mem::replace(&mut page.open, Open::Locked) {
                    self.gaps.push(at.saturating_sub(since));
                }
                self.last_save = self.last_save.max(at);
            }
            Event::Printed(Line::Saved { whole: false, .. }) => {}
            Event::Printed(Line::Counts(counts)) => page.counts = counts,
            Event::Printed(Line::Login) => self.lose(number, "a person was asked to log in".to_owned()),
            Event::Printed(Line::Odd { kind, text }) => {
                page.knows_of_logout |= self.expects_logout && kind == "LoginRequired";
                page.odd.push(format!("process {number}: {kind}: {text}"));
                if kind == "LoginRequired" && !self.expects_logout {
                    self.lose(number, text);
                }
            }
            Event::Ended => {
                page.ended = true;
                let Some(killed) = page.killed else { return };
                self.locks.extend(page.locked.take().map(|from| (from, killed)));
                match page.open {
                    Open::Nothing => return,
                    Open::Locked => {
                        self.kills.with_lock += 1;
                        return;
                    }
                    Open::Request => self.kills.during_request += 1,
                    Open::Gap(_) => self.kills.in_gap += 1,
                }
                self.suspect = self.suspect.max(Some(killed));
            }
        }
    }

    /// Records that a process is killed.
    pub(crate) fn kill(&mut self, number: usize) {
        self.kills.all += 1;
        self.pages.entry(number).or_default().killed = Some(now());
    }

    /// Records a logout. From now on `LoginRequired` is expected.
    pub(crate) fn expect_logout(&mut self) {
        self.expects_logout = true;
    }

    /// Whether a process has reported `LoginRequired` after the logout.
    pub(crate) fn knows_of_logout(&self, number: usize) -> bool {
        self.pages.get(&number).is_some_and(|page| page.knows_of_logout)
    }

    /// The number of requests of a process with status 200.
    pub(crate) fn served(&self, number: usize) -> u64 {
        self.pages.get(&number).map_or(0, |page| page.counts.served)
    }

    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// Whether a kill explains the loss. If a token was saved after the kill, it does not.
    pub(crate) fn is_excused(&self) -> bool {
        self.suspect.is_some_and(|killed| killed > self.last_save)
    }

    /// Records a new login, which processes use that are started from now on.
    pub(crate) fn start_new_login(&mut self, started: usize) {
        self.excused += 1;
        self.era = started;
        self.expects_logout = false;
        (self.suspect, self.lost) = (None, None);
        self.pages.values_mut().filter(|page| page.killed.is_none()).for_each(|page| page.excused = true);
    }

    /// The median and the maximum time from a response to the save, in microseconds.
    pub(crate) fn gap(&self) -> (u64, u64) {
        let mut gaps = self.gaps.clone();
        gaps.sort_unstable();
        let median = gaps.get(gaps.len() / 2).copied();
        (median.unwrap_or_default(), gaps.last().copied().unwrap_or_default())
    }

    pub(crate) fn locks(&self) -> usize {
        self.locks.len()
    }

    /// The number of times that a process took the lock while another one had it.
    pub(crate) fn overlaps(&self) -> usize {
        let mut locks = self.locks.clone();
        locks.sort_unstable();
        locks.windows(2).filter(|two| two[1].0 < two[0].1).count()
    }

    pub(crate) fn all_ended(&self, started: usize) -> bool {
        self.pages.len() == started && self.pages.values().all(|page| page.ended)
    }

    pub(crate) fn sum(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        self.pages.values().map(|page| of(&page.counts)).sum()
    }

    /// The processes whose errors are not explained by a kill.
    pub(crate) fn unexplained(&self) -> impl Iterator<Item = (&usize, &Page)> {
        self.pages.iter().filter(|(_, page)| !page.excused)
    }

    fn lose(&mut self, number: usize, why: String) {
        if number >= self.era {
            self.lost.get_or_insert(format!("process {number}: {why}"));
        }
    }
}
