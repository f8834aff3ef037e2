//! Simultaneous requests without a token, and continuous requests while tokens are refreshed.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::sources::{Kind, Source};
use crate::timing::milliseconds;
use crate::token_server::{EndpointResponse, TokenServer};

pub const LATENCY: Duration = Duration::from_millis(50);

pub struct Herd {
    pub token_requests: usize,
    /// The time from the first request until the last has its token or its error.
    pub milliseconds: f64,
    pub failed: usize,
}

/// Sends simultaneous requests through a new cache.
pub fn herd(kind: &Kind, requests: usize, response: EndpointResponse) -> Herd {
    let server = TokenServer::start(LATENCY, response);
    let runtime = runtime();
    let (time, failed) = runtime.block_on(async {
        let start = Instant::now();
        let source = (kind.build)(&server.url());
        let mut tasks = JoinSet::new();
        for _ in 0..requests {
            let source = source.clone();
            tasks.spawn(async move { source.send().await });
        }
        // A cache that does not share failures handles them one after the other, so its herds must be small.
        let mut failed = 0;
        while let Some(outcome) = tasks.join_next().await {
            failed += usize::from(!matches!(outcome, Ok(Ok(()))));
        }
        (start.elapsed(), failed)
    });
    runtime.shutdown_background();
    Herd { token_requests: server.token_requests(), milliseconds: milliseconds(time), failed }
}

pub struct Load {
    pub token_requests: usize,
    pub requests: usize,
    pub failed: usize,
    /// The number of requests that took longer than [`SLOW`].
    pub waited: usize,
    pub max_wait: f64,
}

/// A request through the no-op takes less than a microsecond. One that takes this long has waited for a token.
const SLOW: Duration = Duration::from_millis(20);
const TASKS: usize = 8;

/// Sends requests for `time`. Each token expires after two seconds, and a token request takes 200 ms.
pub fn load(kind: &Kind, time: Duration) -> Load {
    let server = TokenServer::start(Duration::from_millis(200), EndpointResponse::Token(kind.ahead + 2));
    let runtime = runtime();
    let source = runtime.block_on(async { (kind.build)(&server.url()) });
    let tasks = runtime.block_on(async {
        // The first token request is not part of the measurement.
        let _ = source.send().await;
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            tasks.spawn(send_periodically(source.clone(), time));
        }
        tasks.join_all().await
    });
    runtime.shutdown_background();
    let all = || tasks.iter().flatten();
    Load {
        token_requests: server.token_requests(),
        requests: all().count(),
        failed: all().filter(|(_, ok)| !ok).count(),
        waited: all().filter(|(time, _)| *time > SLOW).count(),
        max_wait: all().map(|(time, _)| milliseconds(*time)).fold(0.0, f64::max),
    }
}

/// Sends a request each millisecond. Returns the time of each, and whether it succeeded.
async fn send_periodically(source: Source, time: Duration) -> Vec<(Duration, bool)> {
    let end = Instant::now() + time;
    let mut results = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        let ok = source.send().await.is_ok();
        results.push((start.elapsed(), ok));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    results
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}
