//! Loading, saving and clearing entries on the server.

use super::commands::Commands;
use super::lease::RedisLease;
use super::shared_connection::SharedConnection;
use crate::error::BoxError;
use crate::store::encryption::KeySet;
use crate::store::store_error::StoreError;
use crate::store::{Entry, Key, PermanentError};

const MISSING: &str = "the entry is missing: it was cleared by a logout, or the server has lost it";
const UNKNOWN_ENTRY: &str = "the stored value does not belong to this store; clear it";

#[derive(Clone)]
pub(super) struct Entries {
    pub(super) connection: SharedConnection,
    pub(super) commands: Commands,
    pub(super) keys: KeySet,
}

impl Entries {
    pub(super) async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        // Read as bytes, so that an invalid version results in a clear error.
        match self.connection.run(&self.commands.load(key)).await? {
            (None::<Vec<u8>>, None::<Vec<u8>>) => Ok(None),
            (Some(generation), Some(kept)) => {
                let generation = std::str::from_utf8(&generation).ok().and_then(|text| text.parse().ok());
                let generation = generation.ok_or_else(|| PermanentError::message(UNKNOWN_ENTRY))?;
                let entry = self.keys.decode(&self.commands.prefix, key, generation, &kept)?;
                // The version in the hash is the one that orders saves.
                if entry.generation == generation {
                    Ok(Some(entry))
                } else {
                    Err(PermanentError::message(UNKNOWN_ENTRY))
                }
            }
            _ => Err(PermanentError::message(UNKNOWN_ENTRY)),
        }
    }

    pub(super) async fn save(&self, key: &Key, entry: &Entry, lease: &RedisLease) -> Result<(), BoxError> {
        let (claim, fence) = lease.fencing(key)?;
        let kept = self.keys.encode(&self.commands.prefix, key, entry)?;
        let outcome: String = self.connection.run(&self.commands.save(key, claim, fence, entry, &kept)).await?;
        match &*outcome {
            "saved" => Ok(()),
            "lost" => {
                Err(StoreError::boxed("the lease had expired, and another process has refreshed the token since then"))
            }
            "cleared" => Err(StoreError::boxed(MISSING)),
            "foreign" => Err(PermanentError::message(UNKNOWN_ENTRY)),
            _ => Err(StoreError::boxed("the stored token is not older than this one")),
        }
    }

    pub(super) async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        let outcome: String = self.connection.run(&self.commands.clear(key, generation)).await?;
        if outcome == "foreign" { Err(PermanentError::message(UNKNOWN_ENTRY)) } else { Ok(()) }
    }

    pub(super) async fn was_cleared(&self, key: &Key) -> Result<bool, BoxError> {
        self.connection.run(&self.commands.was_cleared(key)).await
    }
}
