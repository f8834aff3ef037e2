//! Simulates a fleet from its deployment to its last refresh.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{FutureExt, future::try_join_all};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tower::BoxError;

use super::{
    client::{Client, INTERVAL},
    outcome::Outcome,
    server::{LIFETIME, Server},
    variant::Variant,
};

pub(crate) const CLIENTS: u32 = 10_000;

/// How often each client refreshes its token.
pub(crate) const REFRESHES: u32 = 3;

/// The number of offsets within a second at which clients send requests.
const MOMENTS: u32 = 50;

/// Simulates all clients in one task: a request with a token completes in one poll. A request that waits for a token is
/// spawned as a task.
pub(crate) async fn run(variant: &Variant) -> Result<Outcome, BoxError> {
    let server = Server::open();
    let mut clients = (0..CLIENTS).map(|_| Client::new(variant, &server)).collect::<Result<Vec<_>, _>>()?;

    // At the deployment all clients send their first request, and wait for their first token.
    let start = Instant::now();
    try_join_all(clients.iter().map(Client::send)).await?;

    let mut schedule = BTreeMap::<Instant, Vec<usize>>::new();
    for (number, moment) in (0..clients.len()).zip((0..MOMENTS).cycle()) {
        schedule.entry(start + INTERVAL + INTERVAL * moment / MOMENTS).or_default().push(number);
    }
    let (mut requests, mut waiting) = (0, JoinSet::new());
    while let Some((moment, due)) = schedule.pop_first().filter(|(moment, _)| *moment < start + LIFETIME * REFRESHES) {
        sleep_until(moment).await;
        for number in due {
            let client = &mut clients[number];
            let mut request = Box::pin(client.send());
            match request.as_mut().now_or_never() {
                Some(answered) => answered?,
                None => _ = waiting.spawn(async move { request.await.map(|()| moment.elapsed()) }),
            }
            requests += 1;
            schedule.entry(moment + client.pause(moment)?).or_default().push(number);
        }
    }
    let waits: Vec<Duration> = waiting.join_all().await.into_iter().collect::<Result<_, _>>()?;
    Ok(Outcome::new(variant, &server.token_requests(), requests, &waits))
}
