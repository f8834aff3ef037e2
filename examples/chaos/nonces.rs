//! The nonces of a server: a new one at intervals. The one before it is accepted too, because the next may begin before a request
//! with it arrives.

use std::time::{Duration, Instant};

/// The header with the nonce that the next proof has to contain.
pub(crate) const DPOP_NONCE: &str = "dpop-nonce";

pub(crate) struct Nonces {
    server: &'static str,
    start: Instant,
    interval: Duration,
}

impl Nonces {
    pub(crate) fn new(server: &'static str, interval: Duration) -> Self {
        Self { server, start: Instant::now(), interval }
    }

    pub(crate) fn current(&self) -> String {
        self.of(self.number())
    }

    pub(crate) fn accepts(&self, nonce: Option<&str>) -> bool {
        let number = self.number();
        nonce.is_some_and(|nonce| nonce == self.of(number) || number > 0 && nonce == self.of(number - 1))
    }

    fn number(&self) -> u128 {
        self.start.elapsed().as_nanos() / self.interval.as_nanos()
    }

    /// A nonce of one server is wrong at another.
    fn of(&self, number: u128) -> String {
        format!("{}-{number}", self.server)
    }
}
