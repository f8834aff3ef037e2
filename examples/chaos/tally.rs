//! Counters by name.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A part of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The outcomes of requests.
    Requests,
    /// Other observations.
    Events,
    /// The outcomes of token requests, at the server.
    TokenRequests,
    /// The faults that the API injected.
    ApiFaults,
    /// Observations of the scenarios.
    Scenarios,
    /// The outcomes of the requests of tenants.
    Tenants,
    /// Other observations of tenants.
    TenantEvents,
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

    /// The counters of one part, in descending order.
    pub(crate) fn of(&self, part: Part) -> Vec<(String, u64)> {
        let counts = self.lock();
        let entries = counts.iter().filter(|((counted, _), _)| *counted == part);
        let mut entries: Vec<_> = entries.map(|((_, name), count)| (name.to_string(), *count)).collect();
        entries.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        entries
    }

    pub(crate) fn sum(&self, part: Part) -> u64 {
        self.of(part).iter().map(|(_, count)| count).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Part, Name), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
