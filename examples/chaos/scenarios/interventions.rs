//! The program sets or forgets a token while callers wait for one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::{BoxError, Layer as _, util::BoxCloneService};
use tower_oauth2::Token;

use super::setup::{Client, HANG_TIMEOUT, Layer, Mode, Outcome, Setup, TOLERANCE, http_client};
use crate::{promises::Promise, run::Run, tally::Part};

const ROUNDS: u64 = 8;
const CALLERS: usize = 32;

/// How long a token request takes: long enough to detect a caller that waits for a superseded one.
const TOKEN_REQUEST: Duration = Duration::from_millis(1_500);

/// `set` wakes all callers that wait for a token request.
pub(crate) async fn set(run: &Arc<Run>) -> Result<(), BoxError> {
    for _ in 0..ROUNDS {
        let setup = Setup::open(Mode::Token(TOKEN_REQUEST)).await?;
        let layer = setup.layer()?;
        let client = BoxCloneService::new(layer.layer(http_client()));
        let callers = callers(&setup, &client, 1);
        setup.has_token_requests(1).await?;
        let token = Token::bearer("set-1000000")?;
        let set = Instant::now();
        layer.tokens().set(token);
        for (completed, outcome) in ends(callers).await {
            let waited = completed.saturating_duration_since(set);
            check(run, Promise::SetWakesWaiters, waited, TOLERANCE, &outcome);
        }
    }
    Ok(())
}

/// After `forget` all waiters wait for one more token request, and no earlier token is sent.
pub(crate) async fn forget(run: &Arc<Run>) -> Result<(), BoxError> {
    let setup = Setup::open(Mode::Token(Duration::ZERO)).await?;
    let layer = setup.layer()?;
    let client = BoxCloneService::new(layer.layer(http_client()));
    // `Tokens` sends token requests through a service that was used before.
    setup.request(client.clone(), "/0").await;
    setup.set_mode(Mode::Token(TOKEN_REQUEST));
    let rounds = forget_repeatedly(run, &setup, &layer, &client).await;
    if setup.forgotten_seen() > 0 {
        run.broken(Promise::ForgottenTokensAreNotSent, format!("{} requests", setup.forgotten_seen()));
    }
    rounds
}

async fn forget_repeatedly(run: &Run, setup: &Arc<Setup>, layer: &Layer, client: &Client) -> Result<(), BoxError> {
    for round in 1..=ROUNDS {
        // In every other round `Tokens` refreshes a valid token, which is then forgotten.
        let tokens = layer.tokens();
        let before = setup.token_requests();
        let refresh = tokio::spawn(async move { tokens.refresh().await });
        setup.has_token_requests(before + 1).await?;
        if round % 2 == 0 {
            layer.tokens().invalidate();
        }
        let waiting = callers(setup, client, 2 * round - 1);
        sleep(TOKEN_REQUEST / 10).await;
        setup.forget(2 * round);
        let forgotten = Instant::now();
        layer.tokens().forget();
        // These callers start after `forget`.
        let later = callers(setup, client, 2 * round);
        for (completed, outcome) in ends(waiting).await.into_iter().chain(ends(later).await) {
            let waited = completed.saturating_duration_since(forgotten);
            check(run, Promise::ForgetRestartsWaiters, waited, TOKEN_REQUEST + TOLERANCE, &outcome);
        }
        match timeout(HANG_TIMEOUT, refresh).await.map_err(|_| "`Tokens::refresh` hung")?? {
            Ok(_) => {}
            Err(error) => run.broken(Promise::ForgetRestartsWaiters, format!("refresh: {error}")),
        }
    }
    Ok(())
}

fn check(run: &Run, promise: Promise, waited: Duration, max: Duration, outcome: &Outcome) {
    run.count(Part::Scenarios, "requests during which a token was set or forgotten");
    if !matches!(outcome, Outcome::Response(200)) || waited > max {
        run.broken(promise, format!("{outcome} after {waited:?}"));
    }
}

fn callers(setup: &Arc<Setup>, client: &Client, round: u64) -> JoinSet<(Instant, Outcome)> {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (setup, client) = (setup.clone(), client.clone());
        callers.spawn(async move {
            let outcome = setup.request(client, &format!("/{round}")).await;
            (Instant::now(), outcome)
        });
    }
    callers
}

async fn ends(callers: JoinSet<(Instant, Outcome)>) -> Vec<(Instant, Outcome)> {
    callers.join_all().await
}
