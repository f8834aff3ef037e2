//! A runtime starts a refresh and is then idle, between two `block_on` calls.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tokio::{
    runtime,
    task::{JoinSet, yield_now},
    time::sleep,
};
use tower::{BoxError, Layer as _, ServiceExt, util::BoxCloneService};
use tower_oauth2::ErrorKind;

use super::setup::{Layer, Mode, Outcome, Setup, TOLERANCE, http_client};
use crate::{promises::Promise, run::Run, tally::Part};

const ROUNDS: usize = 4;
const CALLERS: usize = 8;
const TOKEN_TIMEOUT: Duration = Duration::from_millis(800);
const BACKOFF: Duration = Duration::from_millis(50);

pub(crate) async fn run(run: &Arc<Run>) -> Result<(), BoxError> {
    for _ in 0..ROUNDS {
        round(run).await?;
    }
    Ok(())
}

async fn round(run: &Arc<Run>) -> Result<(), BoxError> {
    // The refresh must not end before its runtime is idle, and would end before the timeout if the runtime was not.
    let setup = Setup::open(Mode::Token(TOKEN_TIMEOUT / 2)).await?;
    let layer = setup.layer()?.token_timeout(TOKEN_TIMEOUT)?.backoff(BACKOFF, BACKOFF)?;
    let (started, has_started) = tokio::sync::oneshot::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let (idle_layer, idle) = (layer.clone(), runtime::Builder::new_current_thread().enable_all().build()?);
    let idle = thread::spawn(move || {
        idle.block_on(start_refresh(idle_layer));
        let _ = started.send(());
        // The runtime is idle until the scenario ends.
        let _ = stopped.recv();
    });
    has_started.await?;

    let client = BoxCloneService::new(layer.layer(http_client()));
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (setup, client) = (setup.clone(), client.clone());
        callers.spawn(async move { (setup.request(client, "/good").await, start.elapsed()) });
    }
    let released = callers.join_all();
    match tokio::time::timeout(4 * TOKEN_TIMEOUT + TOLERANCE, released).await {
        Err(_) => run.broken(Promise::IdleRuntimesDoNotBlockCallers, "callers were not released"),
        Ok(ended) => {
            for (outcome, waited) in ended {
                run.count(Part::Scenarios, "callers blocked by an idle runtime");
                let is_timeout = matches!(outcome, Outcome::Failed(ErrorKind::Timeout));
                if !is_timeout || waited > TOKEN_TIMEOUT + TOLERANCE {
                    run.broken(Promise::IdleRuntimesDoNotBlockCallers, format!("{outcome} after {waited:?}"));
                }
            }
            sleep(2 * BACKOFF).await;
            if !matches!(setup.request(client, "/good").await, Outcome::Response(200)) {
                run.broken(Promise::IdleRuntimesDoNotBlockCallers, "the next attempt did not succeed");
            }
        }
    }
    drop(stop);
    idle.join().map_err(|_| "the idle runtime panicked".into())
}

/// Polls the refresh until it uses its connection, which belongs to this runtime.
async fn start_refresh(layer: Layer) {
    let mut service = layer.layer(http_client());
    let _ = service.ready().now_or_never();
    for _ in 0..4 {
        yield_now().await;
    }
}
