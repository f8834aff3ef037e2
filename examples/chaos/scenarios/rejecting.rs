//! One endpoint rejects every token, and another accepts it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};
use tower::{BoxError, ServiceBuilder, util::BoxCloneService};
use tower_oauth2::retry::RetryUnauthorized;

use super::setup::{Client, Mode, Outcome, Setup, TOLERANCE, http_client, max_attempts};
use crate::{promises::Promise, run::Run, tally::Part};

const CALLERS: usize = 16;
const DURATION: Duration = Duration::from_secs(12);

/// Longer than any request of the good endpoint takes, and shorter than the back-off.
const TOKEN_REQUEST: Duration = Duration::from_millis(1_000);
const INITIAL_BACKOFF: Duration = Duration::from_millis(1_500);
const MAX_BACKOFF: Duration = Duration::from_secs(4);

pub(crate) async fn run(run: &Arc<Run>) -> Result<(), BoxError> {
    let setup = Setup::open(Mode::Token(Duration::ZERO)).await?;
    let layer = setup.layer()?.backoff(INITIAL_BACKOFF, MAX_BACKOFF)?;
    let http = http_client();
    let plain = BoxCloneService::new(ServiceBuilder::new().layer(layer.clone()).service(http.clone()));
    let retrying =
        BoxCloneService::new(ServiceBuilder::new().retry(RetryUnauthorized::new()).layer(layer).service(http));
    // The API accepts the token before the first rejection.
    setup.request(plain.clone(), "/good").await;
    setup.set_mode(Mode::Token(TOKEN_REQUEST));

    let (before, start) = (setup.token_requests(), Instant::now());
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let client = if number % 4 < 2 { plain.clone() } else { retrying.clone() };
        let path = if number % 2 == 0 { "/bad" } else { "/good" };
        callers.spawn(caller(run.clone(), setup.clone(), client, path));
    }
    callers.join_all().await;

    let (count, max) = (setup.token_requests() - before, max_attempts(start.elapsed(), INITIAL_BACKOFF, MAX_BACKOFF));
    println!("  {count:>9}  token requests because of an endpoint that rejects every token, of {max} at most");
    if count > max || count < 2 {
        run.broken(Promise::RejectionsAreBounded, format!("{count} token requests in {:?}", start.elapsed()));
    }
    Ok(())
}

async fn caller(run: Arc<Run>, setup: Arc<Setup>, client: Client, path: &'static str) {
    let start = Instant::now();
    while start.elapsed() < DURATION {
        let sent = Instant::now();
        let outcome = setup.request(client.clone(), path).await;
        let took = sent.elapsed();
        match (path, outcome) {
            ("/bad", Outcome::Response(401)) => {
                run.count(Part::Scenarios, "401 of an endpoint that rejects every token")
            }
            ("/good", Outcome::Response(200)) => {
                run.count(Part::Scenarios, "200 of the other endpoint");
                if took > TOLERANCE {
                    run.broken(Promise::RejectionsDelayNoOtherEndpoint, format!("a request took {took:?}"));
                }
            }
            (_, outcome) => run.broken(Promise::RejectionsDelayNoOtherEndpoint, format!("{path}: {outcome}")),
        }
        sleep(Duration::from_millis(2)).await;
    }
}
