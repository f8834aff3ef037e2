//! Whose turn it is: a lease that ends by itself, and a number by which a late one is known.

use std::fmt;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::link::Link;
use super::scripts::Names;
use crate::error::BoxError;
use crate::store::Key;
use crate::{clock, random};

/// Those who wait look again after this long, at first and at last, less up to half of it.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(320));

/// The turn to renew one entry of a [`RedisStore`](super::RedisStore); the next one has theirs when it is dropped.
///
/// While it is held it is prolonged, for a person may take minutes to log in. It ends by itself, after the store's
/// [`lease`](super::RedisStore::lease), when its process dies or can no longer reach the server.
pub struct RedisLease {
    claim: Claim,
    fence: u64,
    _held: oneshot::Sender<()>,
}

/// One caller's wish for the turn.
#[derive(Clone)]
struct Claim {
    link: Link,
    names: Names,
    key: Key,
    /// Nobody else's.
    name: String,
    length: Duration,
}

/// A claim that the server may have heard of.
struct Pending {
    claim: Option<Claim>,
    runtime: Handle,
}

/// Waits for the turn.
pub(super) async fn take(link: &Link, names: &Names, key: &Key, length: Duration) -> Result<RedisLease, BoxError> {
    let runtime = Handle::try_current()?;
    let claim =
        Claim { link: link.clone(), names: names.clone(), key: key.clone(), name: random::text()?.to_string(), length };
    let mut pending = Pending { claim: Some(claim.clone()), runtime: runtime.clone() };
    let (mut wait, longest) = LOOK_AGAIN;
    loop {
        let fence = claim.elect().await?;
        if fence > 0 {
            pending.claim = None;
            let (held, dropped) = oneshot::channel();
            runtime.spawn(keep(claim.clone(), fence, dropped));
            return Ok(RedisLease { claim, fence, _held: held });
        }
        clock::sleep(wait.mul_f64(1.0 - random::unit() / 2.0)).await;
        wait = (wait * 2).min(longest);
    }
}

/// Prolongs the lease until it is dropped, and gives it back.
async fn keep(claim: Claim, fence: u64, mut dropped: oneshot::Receiver<()>) {
    while clock::within(claim.length / 3, &mut dropped).await.is_none() {
        // An error is no answer: the server may be back before the lease ends.
        if let Ok(false) = claim.prolong(fence).await {
            return;
        }
    }
    claim.give_back().await;
}

// ===== impl Claim =====

impl Claim {
    async fn elect(&self) -> Result<u64, BoxError> {
        self.link.run(&self.names.elect(&self.key, &self.name, self.millis())).await
    }

    async fn prolong(&self, fence: u64) -> Result<bool, BoxError> {
        self.link.run(&self.names.prolong(&self.key, &self.name, self.millis(), fence)).await
    }

    /// Tries it until the lease would have ended by itself.
    async fn give_back(&self) {
        let command = self.names.give_back(&self.key, &self.name, self.millis());
        let trying = async {
            let (mut wait, _) = LOOK_AGAIN;
            while self.link.run::<bool>(&command).await.is_err() {
                clock::sleep(wait).await;
                wait *= 2;
            }
        };
        clock::within(self.length, trying).await;
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.length.as_millis()).unwrap_or(u64::MAX)
    }
}

// ===== impl Pending =====

/// Who goes away while the server is asked must not get the turn: nobody would give it back.
impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.runtime.spawn(async move { claim.give_back().await });
        }
    }
}

// ===== impl RedisLease =====

impl RedisLease {
    /// By what the server knows that it is this one's turn to write the entry of `key`.
    pub(super) fn proof(&self, key: &Key) -> Result<(&str, u64), BoxError> {
        if self.claim.key == *key {
            Ok((&self.claim.name, self.fence))
        } else {
            Err("the lock is another entry's".into())
        }
    }
}

impl fmt::Debug for RedisLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLease").field("key", &self.claim.key).field("fence", &self.fence).finish_non_exhaustive()
    }
}
