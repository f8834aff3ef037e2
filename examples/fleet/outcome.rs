//! The load on the authorization server, and how long requests waited.

use std::{fmt, time::Duration};

use super::{
    client::INTERVAL,
    run::REFRESHES,
    server::{LATENCY, LIFETIME},
    variant::Variant,
};

pub(crate) struct Outcome {
    pub(crate) variant: &'static str,
    pub(crate) token_requests: u32,
    /// The start, and each refresh.
    pub(crate) waves: Vec<Wave>,
    /// Without the first request of each client.
    pub(crate) requests: usize,
    pub(crate) waited: usize,
    pub(crate) max_wait: Duration,
}

/// The token requests of one refresh of the fleet.
pub(crate) struct Wave {
    /// The first second with a token request, since the deployment.
    pub(crate) start: usize,
    /// The number of token requests in each second.
    pub(crate) counts: Vec<u32>,
}

impl Outcome {
    pub(crate) fn new(variant: &Variant, counts: &[u32], requests: usize, waits: &[Duration]) -> Self {
        Self {
            variant: variant.name,
            token_requests: counts.iter().sum(),
            waves: (0..=REFRESHES).map(|refresh| Wave::find(variant, counts, refresh)).collect(),
            requests,
            waited: waits.len(),
            max_wait: waits.iter().max().copied().unwrap_or_default(),
        }
    }
}

impl Wave {
    /// Searches the window of the documentation: the first request after a token is due refreshes it.
    fn find(variant: &Variant, counts: &[u32], refresh: u32) -> Self {
        let first = (LIFETIME - variant.earliest) * refresh;
        let last = (LIFETIME - variant.latest + LATENCY + INTERVAL) * refresh;
        let (first, last) = (first.as_secs() as usize, last.as_secs() as usize);
        let some_came = |second: &usize| counts.get(*second).is_some_and(|counts| *counts > 0);
        let start = (first..=last).find(some_came).unwrap_or(first);
        let end = (first..=last).rfind(some_came).map_or(start, |last| last + 1);
        Self { start, counts: counts.get(start..end).unwrap_or_default().to_vec() }
    }

    pub(crate) fn total(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// The maximum number of token requests in one second.
    pub(crate) fn peak(&self) -> u32 {
        self.counts.iter().max().copied().unwrap_or_default()
    }

    /// The duration in seconds.
    pub(crate) fn seconds(&self) -> usize {
        self.counts.len()
    }
}

/// The rows of a table.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variant, token_requests, requests, waited, .. } = self;
        let max_wait = self.max_wait.as_millis();
        let row = |f: &mut fmt::Formatter<'_>, name: &str, cell: fn(&Wave) -> usize| {
            write!(f, "  {name:<30}")?;
            self.waves.iter().try_for_each(|wave| write!(f, "{:>13}", cell(wave)))?;
            writeln!(f)
        };
        writeln!(f, "{variant}")?;
        row(f, "max token requests in a second", |wave| wave.peak() as usize)?;
        row(f, "seconds from first to last", Wave::seconds)?;
        writeln!(
            f,
            "  {token_requests} token requests; {waited} of {requests} later requests waited, {max_wait} ms at most"
        )
    }
}
