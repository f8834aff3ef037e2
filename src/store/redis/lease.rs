//! The lock of an entry: a lease that expires, with a fencing token that identifies a late holder.

use std::fmt;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::commands::Commands;
use super::shared_connection::{self, SharedConnection};
use crate::error::BoxError;
use crate::store::Key;
use crate::store::store_error::StoreError;
use crate::{clock, random};

/// The initial and the maximum wait between two attempts, with up to 50 % jitter.
const RETRY_WAIT: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(320));

/// The lock of one entry of a [`RedisStore`](super::RedisStore), released on drop.
///
/// While it is held, a task extends the lease, because a login can take minutes. If the process ends or cannot reach the server, the
/// lease expires after the time that [`RedisStore::lease`](super::RedisStore::lease) sets.
pub struct RedisLease {
    claim: Claim,
    fence: u64,
    _held: oneshot::Sender<()>,
}

/// A request that acquires the lease.
#[derive(Clone)]
struct Claim {
    connection: SharedConnection,
    commands: Commands,
    key: Key,
    /// Unique to this claim.
    name: String,
    length: Duration,
}

/// A claim that may have reached the server.
struct PendingClaim {
    claim: Option<Claim>,
    runtime: Handle,
}

/// Waits for the lease.
pub(super) async fn acquire(
    connection: &SharedConnection,
    commands: &Commands,
    key: &Key,
    length: Duration,
) -> Result<RedisLease, BoxError> {
    let mut pending = PendingClaim::new(connection, commands, key, length)?;
    let (mut wait, max) = RETRY_WAIT;
    loop {
        if let Some(lease) = pending.acquire().await? {
            return Ok(lease);
        }
        clock::sleep(wait.mul_f64(1.0 - random::unit() / 2.0)).await;
        wait = (wait * 2).min(max);
    }
}

/// Acquires the lease if it is free.
pub(super) async fn try_acquire(
    connection: &SharedConnection,
    commands: &Commands,
    key: &Key,
    length: Duration,
) -> Result<Option<RedisLease>, BoxError> {
    let mut pending = PendingClaim::new(connection, commands, key, length)?;
    let lease = pending.acquire().await?;
    // The server has reported that another process holds the lease.
    pending.claim = None;
    Ok(lease)
}

/// Extends the lease until it is dropped, and then releases it.
async fn keep_alive(claim: Claim, fence: u64, mut dropped: oneshot::Receiver<()>) {
    while clock::within(claim.length / 3, &mut dropped).await.is_none() {
        // After an error the extension is tried again: the server may be back before the lease expires.
        if let Ok(false) = claim.extend(fence).await {
            return;
        }
    }
    claim.release().await;
}

// ===== impl Claim =====

impl Claim {
    async fn acquire(&self) -> Result<u64, BoxError> {
        self.connection.run(&self.commands.acquire(&self.key, &self.name, self.millis())).await
    }

    async fn extend(&self, fence: u64) -> Result<bool, BoxError> {
        self.connection.run(&self.commands.extend(&self.key, &self.name, self.millis(), fence)).await
    }

    /// Retries until the lease would have expired.
    async fn release(&self) {
        let command = self.commands.release(&self.key, &self.name, self.millis());
        let trying = async {
            let (mut wait, _) = RETRY_WAIT;
            while self.connection.run::<bool>(&command).await.is_err() {
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

// ===== impl PendingClaim =====

impl PendingClaim {
    fn new(connection: &SharedConnection, commands: &Commands, key: &Key, length: Duration) -> Result<Self, BoxError> {
        let (runtime, name) = (shared_connection::runtime()?, random::text()?.to_string());
        let claim =
            Claim { connection: connection.clone(), commands: commands.clone(), key: key.clone(), name, length };
        Ok(Self { claim: Some(claim), runtime })
    }

    async fn acquire(&mut self) -> Result<Option<RedisLease>, BoxError> {
        let Some(claim) = self.claim.clone() else { return Ok(None) };
        let fence = claim.acquire().await?;
        if fence == 0 {
            return Ok(None);
        }
        self.claim = None;
        let (held, dropped) = oneshot::channel();
        self.runtime.spawn(keep_alive(claim.clone(), fence, dropped));
        Ok(Some(RedisLease { claim, fence, _held: held }))
    }
}

/// A claim that is dropped before the server has responded must not get the lease, because nothing would release it.
impl Drop for PendingClaim {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.runtime.spawn(async move { claim.release().await });
        }
    }
}

// ===== impl RedisLease =====

impl RedisLease {
    /// Returns the name of the claim and the fencing token, by which the server checks a save of `key`.
    pub(super) fn fencing(&self, key: &Key) -> Result<(&str, u64), BoxError> {
        if self.claim.key == *key {
            Ok((&self.claim.name, self.fence))
        } else {
            Err(StoreError::boxed("the lock is another entry's"))
        }
    }
}

impl fmt::Debug for RedisLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLease").field("key", &self.claim.key).field("fence", &self.fence).finish_non_exhaustive()
    }
}
