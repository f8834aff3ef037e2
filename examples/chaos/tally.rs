//! Counts everything by name.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A part of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// What became of the requests.
    Requests,
    /// What else was seen of them.
    OnTheWay,
    /// What became of the token calls, as the server knows it.
    TokenCalls,
    /// What was done to the requests at the API.
    ApiFaults,
}

type Name = Cow<'static, str>;

#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<(Part, Name), u64>>);

impl Tally {
    pub(crate) fn count(&self, part: Part, name: impl Into<Name>) {
        *self.lock().entry((part, name.into())).or_default() += 1;
    }

    pub(crate) fn get(&self, part: Part, name: &'static str) -> u64 {
        self.lock().get(&(part, name.into())).copied().unwrap_or_default()
    }

    /// The counts of one part, the largest first.
    pub(crate) fn of(&self, part: Part) -> Vec<(String, u64)> {
        let counts = self.lock();
        let those = counts.iter().filter(|((counted, _), _)| *counted == part);
        let mut those: Vec<_> = those.map(|((_, name), count)| (name.to_string(), *count)).collect();
        those.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        those
    }

    pub(crate) fn sum(&self, part: Part) -> u64 {
        self.of(part).iter().map(|(_, count)| count).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Part, Name), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
