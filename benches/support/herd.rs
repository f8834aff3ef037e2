//! Many requests at one moment on an empty cache, and requests all the time while tokens come and go.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::sources::{Kind, Source};
use crate::timing::milliseconds;
use crate::token_server::{Answer, TokenServer};

pub const LATENCY: Duration = Duration::from_millis(50);

pub struct Herd {
    pub calls: usize,
    /// From the first request until the last has its token, or its error.
    pub milliseconds: f64,
    pub failed: usize,
}

/// So many requests at once, and none before.
pub fn herd(kind: &Kind, requests: usize, answer: Answer) -> Herd {
    let server = TokenServer::start(LATENCY, answer);
    let runtime = runtime();
    let (time, failed) = runtime.block_on(async {
        let began = Instant::now();
        let source = (kind.build)(&server.url());
        let mut waiting = JoinSet::new();
        for _ in 0..requests {
            let source = source.clone();
            waiting.spawn(async move { source.send().await });
        }
        // Those of a cache without failure memory queue up; nobody waits for all of a large herd.
        let mut failed = 0;
        while let Some(outcome) = waiting.join_next().await {
            failed += usize::from(!matches!(outcome, Ok(Ok(()))));
        }
        (began.elapsed(), failed)
    });
    runtime.shutdown_background();
    Herd { calls: server.calls(), milliseconds: milliseconds(time), failed }
}

pub struct Load {
    pub calls: usize,
    pub requests: usize,
    pub failed: usize,
    /// Requests that took longer than [`SLOW`], and the longest.
    pub waited: usize,
    pub longest: f64,
}

/// A request through the no-op takes less than a microsecond; what takes this long has waited for a token.
const SLOW: Duration = Duration::from_millis(20);
const TASKS: usize = 8;

/// Requests for so long, while each token lives for two seconds and the next takes 200 ms.
pub fn load(kind: &Kind, time: Duration) -> Load {
    let server = TokenServer::start(Duration::from_millis(200), Answer::Token(kind.ahead + 2));
    let runtime = runtime();
    let source = runtime.block_on(async { (kind.build)(&server.url()) });
    let tasks = runtime.block_on(async {
        // The first token is not what this is about.
        let _ = source.send().await;
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            tasks.spawn(steadily(source.clone(), time));
        }
        tasks.join_all().await
    });
    runtime.shutdown_background();
    let all = || tasks.iter().flatten();
    Load {
        calls: server.calls(),
        requests: all().count(),
        failed: all().filter(|(_, ok)| !ok).count(),
        waited: all().filter(|(time, _)| *time > SLOW).count(),
        longest: all().map(|(time, _)| milliseconds(*time)).fold(0.0, f64::max),
    }
}

/// A request each millisecond: how long it took, and whether it went well.
async fn steadily(source: Source, time: Duration) -> Vec<(Duration, bool)> {
    let end = Instant::now() + time;
    let mut seen = Vec::new();
    while Instant::now() < end {
        let began = Instant::now();
        let ok = source.send().await.is_ok();
        seen.push((began.elapsed(), ok));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    seen
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}
