//! The authorization server, whose counts have the last word.

use serde_json::Value;

use crate::login::{Setting, Shelf};
pub(crate) use crate::turn::{Turn, turn};

/// What the server has counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stats {
    pub(crate) logins: u64,
    pub(crate) refreshes: u64,
    /// Token calls that were refused.
    pub(crate) refusals: u64,
    /// Logins that were revoked, for a refresh token was spent twice.
    pub(crate) revoked: u64,
    /// Answers of the API: all of them, those with 200, and those with 401.
    pub(crate) answers: u64,
    pub(crate) served: u64,
    pub(crate) unauthorized: u64,
}

impl Turn {
    pub(crate) fn setting(&self, shelf: Shelf) -> Setting {
        let [authorize, token, api] = ["AUTHORIZE", "TOKEN", "API"].map(|name| self.get(name).to_owned());
        Setting { authorize, token, api, shelf }
    }

    pub(crate) async fn stats(&self) -> Stats {
        let stats = self.counts().await;
        let sum = |counts: &Value| counts.as_object().unwrap().values().filter_map(Value::as_u64).sum();
        let count = |count: &Value| count.as_u64().unwrap_or_default();
        Stats {
            logins: count(&stats["token"]["authorization_code"]),
            refreshes: count(&stats["token"]["refresh_token"]),
            refusals: sum(&stats["token_errors"]),
            revoked: count(&stats["revoked"]),
            answers: sum(&stats["api"]),
            served: count(&stats["api"]["200"]),
            unauthorized: count(&stats["api"]["401"]),
        }
    }
}
