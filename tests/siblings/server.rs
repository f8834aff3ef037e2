//! The authorization server, whose counts have the last word.

use std::sync::OnceLock;

use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use crate::harness::{Server, or_skip};
use crate::login::{Setting, Shelf};
use crate::plain::{self, get, send};

/// One fleet at a time: the server has one set of counters, and the machine has something else to do.
pub(crate) struct Turn {
    server: &'static Server,
    _turn: MutexGuard<'static, ()>,
}

pub(crate) async fn turn() -> Option<Turn> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let server = or_skip("oidc-provider", SERVER.get_or_init(|| Server::start("oidc-provider")))?;
    let reset = Request::post(server.get("STATS")).body(Full::default()).unwrap();
    send(plain::client(), reset).await.unwrap();
    Some(Turn { server, _turn: turn })
}

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
        let [authorize, token, api] = ["AUTHORIZE", "TOKEN", "API"].map(|name| self.server.get(name).to_owned());
        Setting { authorize, token, api, shelf }
    }

    pub(crate) async fn stats(&self) -> Stats {
        let (_, stats) = send(plain::client(), get(self.server.get("STATS"))).await.unwrap();
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
