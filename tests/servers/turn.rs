//! oidc-provider, one test at a time: it has one set of counters.

use std::sync::OnceLock;

use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use crate::harness::{Server, or_skip};
use crate::plain::{self, get, send};

pub(crate) struct Turn {
    server: &'static Server,
    _turn: MutexGuard<'static, ()>,
}

/// The server, which begins to count anew; `None` where it does not start.
pub(crate) async fn turn() -> Option<Turn> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let server = or_skip("oidc-provider", SERVER.get_or_init(|| Server::start("oidc-provider")))?;
    let reset = Request::post(server.get("STATS")).body(Full::default()).unwrap();
    send(plain::client(), reset).await.unwrap();
    Some(Turn { server, _turn: turn })
}

impl Turn {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.server.get(name)
    }

    /// What the server has counted in this turn.
    pub(crate) async fn counts(&self) -> Value {
        send(plain::client(), get(self.get("STATS"))).await.unwrap().1
    }
}
