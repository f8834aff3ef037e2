//! What a fleet did to the authorization server, and what its requests felt of it.

use std::{fmt, time::Duration};

use super::{
    client::INTERVAL,
    run::RENEWALS,
    server::{LATENCY, LIFETIME},
    variant::Variant,
};

pub(crate) struct Outcome {
    pub(crate) variant: &'static str,
    pub(crate) token_calls: u32,
    /// The start, and each renewal.
    pub(crate) waves: Vec<Wave>,
    /// Without each client's first.
    pub(crate) requests: usize,
    pub(crate) waited: usize,
    pub(crate) longest_wait: Duration,
}

/// The token calls of one renewal.
pub(crate) struct Wave {
    /// When the first of them came, in seconds since the deployment.
    pub(crate) start: usize,
    /// How many came in each second, to the last one.
    pub(crate) calls: Vec<u32>,
}

impl Outcome {
    pub(crate) fn new(variant: &Variant, calls: &[u32], requests: usize, waits: &[Duration]) -> Self {
        Self {
            variant: variant.name,
            token_calls: calls.iter().sum(),
            waves: (0..=RENEWALS).map(|renewal| Wave::find(variant, calls, renewal)).collect(),
            requests,
            waited: waits.len(),
            longest_wait: waits.iter().max().copied().unwrap_or_default(),
        }
    }
}

impl Wave {
    /// Looks where the docs say that it is: a token is renewed by the first request after it is due.
    fn find(variant: &Variant, calls: &[u32], renewal: u32) -> Self {
        let first = (LIFETIME - variant.earliest) * renewal;
        let last = (LIFETIME - variant.latest + LATENCY + INTERVAL) * renewal;
        let (first, last) = (first.as_secs() as usize, last.as_secs() as usize);
        let some_came = |second: &usize| calls.get(*second).is_some_and(|calls| *calls > 0);
        let start = (first..=last).find(some_came).unwrap_or(first);
        let end = (first..=last).rfind(some_came).map_or(start, |last| last + 1);
        Self { start, calls: calls.get(start..end).unwrap_or_default().to_vec() }
    }

    pub(crate) fn total(&self) -> u32 {
        self.calls.iter().sum()
    }

    /// The most token calls in one second.
    pub(crate) fn peak(&self) -> u32 {
        self.calls.iter().max().copied().unwrap_or_default()
    }

    /// How many seconds it lasted.
    pub(crate) fn seconds(&self) -> usize {
        self.calls.len()
    }
}

/// The rows of a table.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variant, token_calls, requests, waited, .. } = self;
        let longest = self.longest_wait.as_millis();
        let row = |f: &mut fmt::Formatter<'_>, name: &str, cell: fn(&Wave) -> usize| {
            write!(f, "  {name:<30}")?;
            self.waves.iter().try_for_each(|wave| write!(f, "{:>13}", cell(wave)))?;
            writeln!(f)
        };
        writeln!(f, "{variant}")?;
        row(f, "most token calls in a second", |wave| wave.peak() as usize)?;
        row(f, "seconds from first to last", Wave::seconds)?;
        writeln!(f, "  {token_calls} token calls; {waited} of {requests} later requests waited, {longest} ms at most")
    }
}
