//! oidc-provider for one test at a time, because it has one set of counters.

use std::sync::OnceLock;

use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use crate::harness::Server;
use crate::or_skip::or_skip;
use crate::plain::{self, get, send};

pub(crate) struct ExclusiveServer {
    server: &'static Server,
    _lock: MutexGuard<'static, ()>,
}

/// Returns the server with its counters reset, or `None` if it does not start.
pub(crate) async fn exclusive_server() -> Option<ExclusiveServer> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let server = or_skip("oidc-provider", SERVER.get_or_init(|| Server::start("oidc-provider")))?;
    let reset = Request::post(server.get("STATS")).body(Full::default()).unwrap();
    send(plain::client(), reset).await.unwrap();
    Some(ExclusiveServer { server, _lock: turn })
}

impl ExclusiveServer {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.server.get(name)
    }

    /// The server's counters of this turn.
    pub(crate) async fn counts(&self) -> Value {
        send(plain::client(), get(self.get("STATS"))).await.unwrap().1
    }
}
