//! The counts of the authorization server.

use serde_json::Value;

pub(crate) use crate::exclusive::{ExclusiveServer, exclusive_server};
use crate::login::{Setting, StoreLocation};

/// The counts of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stats {
    pub(crate) logins: u64,
    pub(crate) refreshes: u64,
    /// Token requests that were rejected.
    pub(crate) rejections: u64,
    /// Logins that were revoked because a refresh token was used twice.
    pub(crate) revoked: u64,
    /// Responses of the API: all, those with status 200, and those with status 401.
    pub(crate) responses: u64,
    pub(crate) served: u64,
    pub(crate) unauthorized: u64,
}

impl ExclusiveServer {
    pub(crate) fn setting(&self, location: StoreLocation) -> Setting {
        let [authorize, token, api] = ["AUTHORIZE", "TOKEN", "API"].map(|name| self.get(name).to_owned());
        Setting { authorize, token, api, location }
    }

    pub(crate) async fn stats(&self) -> Stats {
        let stats = self.counts().await;
        let sum = |counts: &Value| counts.as_object().unwrap().values().filter_map(Value::as_u64).sum();
        let count = |count: &Value| count.as_u64().unwrap_or_default();
        Stats {
            logins: count(&stats["token"]["authorization_code"]),
            refreshes: count(&stats["token"]["refresh_token"]),
            rejections: sum(&stats["token_errors"]),
            revoked: count(&stats["revoked"]),
            responses: sum(&stats["api"]),
            served: count(&stats["api"]["200"]),
            unauthorized: count(&stats["api"]["401"]),
        }
    }
}
