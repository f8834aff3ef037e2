//! An overloaded authorization server responds with `Retry-After: 0`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};
use tower::{BoxError, Layer as _, util::BoxCloneService};
use tower_oauth2::ErrorKind;

use super::setup::{Client, Mode, Outcome, Setup, TOLERANCE, http_client, max_attempts};
use crate::{promises::Promise, run::Run, tally::Part};

const CALLERS: usize = 32;
const DURATION: Duration = Duration::from_secs(3);
const INITIAL_BACKOFF: Duration = Duration::from_millis(20);
const MAX_BACKOFF: Duration = Duration::from_millis(400);

pub(crate) async fn run(run: &Arc<Run>) -> Result<(), BoxError> {
    let setup = Setup::open(Mode::Overloaded).await?;
    let layer = setup.layer()?.backoff(INITIAL_BACKOFF, MAX_BACKOFF)?;
    let client = BoxCloneService::new(layer.layer(http_client()));
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(caller(run.clone(), setup.clone(), client.clone()));
    }
    callers.join_all().await;
    let (count, max) = (setup.token_requests(), max_attempts(start.elapsed(), INITIAL_BACKOFF, MAX_BACKOFF));
    println!("  {count:>9}  token requests to a server that responds with `Retry-After: 0`, of {max} at most");
    if count > max {
        run.broken(Promise::RetryAfterZeroIsBounded, format!("{count} token requests in {:?}", start.elapsed()));
    }

    // After the server has recovered, the next attempt after the back-off succeeds.
    setup.set_mode(Mode::Token(Duration::ZERO));
    let recovered = Instant::now();
    while !matches!(setup.request(client.clone(), "/good").await, Outcome::Response(200)) {
        if recovered.elapsed() > MAX_BACKOFF + TOLERANCE {
            run.broken(Promise::RetryAfterZeroIsBounded, "no token after the back-off");
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn caller(run: Arc<Run>, setup: Arc<Setup>, client: Client) {
    let start = Instant::now();
    while start.elapsed() < DURATION {
        match setup.request(client.clone(), "/good").await {
            Outcome::Failed(ErrorKind::Overloaded) => {
                run.count(Part::Scenarios, "requests without a token: the server is overloaded");
            }
            _ => run.broken(Promise::RetryAfterZeroIsBounded, "an unexpected outcome"),
        }
        sleep(Duration::from_millis(1)).await;
    }
}
