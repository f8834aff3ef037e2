//! The report of a process to the test: a line of JSON for each event, and its counts twice a second. Lines are flushed at once, so that a
//! killed process has printed all of them.

use std::collections::BTreeMap;
use std::io::{Write as _, stdout};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Line {
    /// The process took the lock just before, and releases it just after the next event.
    Locked {
        at: u64,
    },
    Released {
        at: u64,
    },
    /// A token request is sent. From now on the server may have replaced the refresh token.
    Requested {
        at: u64,
    },
    /// The token request has ended, with this status, or without one if it failed.
    Responded {
        at: u64,
        status: Option<u16>,
    },
    /// A save has ended.
    Saved {
        at: u64,
        whole: bool,
    },
    /// The grant has started a login.
    Login,
    /// A request has failed, with the kind of its error, or the API has rejected a token.
    Odd {
        kind: String,
        text: String,
    },
    /// The counts so far.
    Counts(Counts),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Requests with status 200.
    pub(crate) served: u64,
    /// Requests that took longer than a second.
    pub(crate) waited: u64,
    pub(crate) longest_ms: u64,
    /// Requests with status 401 before and after the token had expired.
    pub(crate) rejected: u64,
    pub(crate) rejected_late: u64,
    /// Requests with any other outcome, by kind.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Errors that `on_store_error` received.
    pub(crate) store_errors: BTreeMap<String, u64>,
    /// The number of different tokens in requests, and of those that this process has obtained itself.
    pub(crate) tokens: u64,
    pub(crate) own: u64,
}

impl Line {
    /// Prints and flushes the line, because the process may be killed at any time.
    pub(crate) fn print(&self) {
        let mut line = serde_json::to_string(self).unwrap();
        // The test harness may have started a line.
        line.insert(0, '\n');
        line.push('\n');
        let mut out = stdout().lock();
        // If standard output is closed, this process ends soon.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

/// Microseconds of the system clock, which all processes share.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros().try_into().unwrap()
}
