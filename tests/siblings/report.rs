//! What a process tells the one that started it: a line of JSON for each event, and its counts twice a second. One that is
//! killed has said it all by then.

use std::collections::BTreeMap;
use std::io::{Write as _, stdout};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Line {
    /// It has the turn to renew since just before, and gives it back just after.
    Turn {
        at: u64,
    },
    Released {
        at: u64,
    },
    /// A token call goes out: from here on the server may have spent the refresh token.
    Asked {
        at: u64,
    },
    /// The token call came back, with this status; none when it failed.
    Answered {
        at: u64,
        status: Option<u16>,
    },
    /// A save has returned.
    Saved {
        at: u64,
        whole: bool,
    },
    /// The program would have opened a browser.
    Login,
    /// A request without a token, by the kind of its error; or a token that the API did not take.
    Odd {
        kind: String,
        text: String,
    },
    /// So far.
    Counts(Counts),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Requests that were answered with 200.
    pub(crate) served: u64,
    /// Requests that took longer than a second: they waited for the token, or for the machine.
    pub(crate) waited: u64,
    pub(crate) longest_ms: u64,
    /// Requests that were answered with 401 though the token had not ended, and after it had.
    pub(crate) refused: u64,
    pub(crate) refused_late: u64,
    /// Requests with any other outcome, by kind.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Errors of the store that the program was told of, which cost nobody anything.
    pub(crate) told: BTreeMap<String, u64>,
    /// Different tokens that requests went out with, and those that came as answers to token calls of this process.
    pub(crate) tokens: u64,
    pub(crate) own: u64,
}

impl Line {
    /// At once: the process may be killed with the next instruction.
    pub(crate) fn tell(&self) {
        let mut line = serde_json::to_string(self).unwrap();
        // The test harness may have begun a line of its own.
        line.insert(0, '\n');
        line.push('\n');
        let mut out = stdout().lock();
        // Nobody listens any more: then this process ends soon.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

/// Microseconds of the clock that all processes of a machine share.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros().try_into().unwrap()
}
