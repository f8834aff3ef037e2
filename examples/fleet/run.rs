//! A fleet, from its deployment to its last renewal.

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

/// How often each client renews its token.
pub(crate) const RENEWALS: u32 = 3;

/// The clients spread their requests over this many moments of each second.
const MOMENTS: u32 = 50;

/// Simulates it, all clients in one task: a request that has its token is done in one poll. One that waits for it becomes
/// a task of its own.
pub(crate) async fn run(variant: &Variant) -> Result<Outcome, BoxError> {
    let server = Server::open();
    let mut clients = (0..CLIENTS).map(|_| Client::new(variant, &server)).collect::<Result<Vec<_>, _>>()?;

    // This is the deployment. All send their first request at this moment, and wait for their first token.
    let start = Instant::now();
    try_join_all(clients.iter().map(Client::send)).await?;

    let mut rota = BTreeMap::<Instant, Vec<usize>>::new();
    for (number, moment) in (0..clients.len()).zip((0..MOMENTS).cycle()) {
        rota.entry(start + INTERVAL + INTERVAL * moment / MOMENTS).or_default().push(number);
    }
    let (mut requests, mut waiting) = (0, JoinSet::new());
    while let Some((moment, turn)) = rota.pop_first().filter(|(moment, _)| *moment < start + LIFETIME * RENEWALS) {
        sleep_until(moment).await;
        for number in turn {
            let client = &mut clients[number];
            let mut request = Box::pin(client.send());
            match request.as_mut().now_or_never() {
                Some(answered) => answered?,
                None => _ = waiting.spawn(async move { request.await.map(|()| moment.elapsed()) }),
            }
            requests += 1;
            rota.entry(moment + client.pause(moment)?).or_default().push(number);
        }
    }
    let waits: Vec<Duration> = waiting.join_all().await.into_iter().collect::<Result<_, _>>()?;
    Ok(Outcome::new(variant, &server.token_calls(), requests, &waits))
}
