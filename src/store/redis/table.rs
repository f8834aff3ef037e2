//! The entries, as the server keeps them.

use super::lease::RedisLease;
use super::link::Link;
use super::scripts::Names;
use crate::error::BoxError;
use crate::store::sealed::Seals;
use crate::store::{Entry, Key};

#[derive(Clone)]
pub(super) struct Table {
    pub(super) link: Link,
    pub(super) names: Names,
    pub(super) seals: Seals,
}

impl Table {
    pub(super) async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        match self.link.run(&self.names.load(key)).await? {
            (None::<u64>, None::<Vec<u8>>) => Ok(None),
            (Some(generation), Some(kept)) => self.seals.unpack(key, generation, &kept).map(Some),
            _ => Err("what is stored there is not this store's own".into()),
        }
    }

    pub(super) async fn save(&self, key: &Key, entry: &Entry, lease: &RedisLease) -> Result<(), BoxError> {
        let (claim, fence) = lease.proof(key)?;
        let kept = self.seals.pack(key, entry)?;
        let outcome: String = self.link.run(&self.names.save(key, claim, fence, entry.generation, &kept)).await?;
        match &*outcome {
            "saved" => Ok(()),
            "lost" => Err("the lease had ended, and another process has renewed the token since".into()),
            _ => Err("the stored token is not older than this one".into()),
        }
    }

    pub(super) async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.link.run(&self.names.clear(key, generation)).await
    }
}
