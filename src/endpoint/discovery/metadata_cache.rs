//! Keeps the metadata of one issuer. One caller at a time fetches it, and the waiting callers share its outcome.

use std::sync::Arc;
use std::time::Duration;

use super::cache_control;
use super::fetch_metadata::Fetched;
use super::metadata::Metadata;
use crate::clock::{self, Deadline, Now};
use crate::error::{Error, ErrorKind};
use crate::sync::{Mutex, lock};
use crate::transport::Transport;

/// How long an outdated document stays in use after a failed fetch, before the next one.
const RETRY: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct MetadataCache {
    state: Mutex<CacheState>,
    /// Held by the caller that fetches. A dropped caller releases it, and the next one fetches.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct CacheState {
    document: Option<CachedMetadata>,
    /// The number of fetches that have ended.
    ended: u64,
    /// The error of the last fetch, if it concerns all callers.
    error: Option<Error>,
}

struct CachedMetadata {
    metadata: Arc<Metadata>,
    fetched_at: Now,
    fresh_until: Deadline,
    /// Whether callers use it while another one fetches a newer one.
    is_usable: bool,
}

impl MetadataCache {
    /// Returns the document, from the cache or with `fetch`.
    pub(super) async fn get<Fut>(&self, http: &Transport, fetch: impl FnOnce() -> Fut) -> Result<Arc<Metadata>, Error>
    where
        Fut: Future<Output = Result<Fetched, Error>>,
    {
        let ended = match lock(&self.state).fresh(clock::now()) {
            Ok(fresh) => return Ok(fresh),
            Err(ended) => ended,
        };
        let fetching = match self.fetching.try_lock() {
            Ok(fetching) => fetching,
            Err(_) => {
                // An outdated document is better than a wait.
                if let Some(outdated) = lock(&self.state).in_use() {
                    return Ok(outdated);
                }
                let timeout = http.timeout();
                let waiting = clock::within(timeout, self.fetching.lock()).await;
                let fetching = waiting.ok_or_else(|| {
                    Error::new(
                        ErrorKind::Timeout,
                        format!("another caller has not fetched the metadata within {timeout:?}"),
                    )
                })?;
                if let Some(outcome) = lock(&self.state).outcome_since(ended, clock::now()) {
                    return outcome;
                }
                fetching
            }
        };
        // Another caller may have ended its fetch between the two locks.
        if let Ok(fresh) = lock(&self.state).fresh(clock::now()) {
            return Ok(fresh);
        }
        let outcome = fetch().await;
        let outcome = lock(&self.state).complete(outcome, clock::now());
        drop(fetching);
        outcome
    }

    /// Makes the next caller fetch the document, unless this one is recent.
    pub(super) fn expire(&self) {
        let now = clock::now();
        if let Some(document) = &mut lock(&self.state).document
            && now.since(document.fetched_at) >= cache_control::MIN
        {
            document.fresh_until = Deadline::from_now(now, Duration::ZERO);
            document.is_usable = false;
        }
    }
}

impl CacheState {
    /// Returns the document if it is fresh, or else the number of fetches that have ended.
    fn fresh(&self, now: Now) -> Result<Arc<Metadata>, u64> {
        let fresh = self.document.as_ref().filter(|document| !document.fresh_until.passed(now));
        fresh.map(|document| document.metadata.clone()).ok_or(self.ended)
    }

    fn in_use(&self) -> Option<Arc<Metadata>> {
        self.document.as_ref().filter(|document| document.is_usable).map(|document| document.metadata.clone())
    }

    /// Returns the outcome of a fetch that ended after `ended` ones, or `None` if there was none, because its caller was dropped.
    fn outcome_since(&self, ended: u64, now: Now) -> Option<Result<Arc<Metadata>, Error>> {
        if let Ok(fresh) = self.fresh(now) {
            return Some(Ok(fresh));
        }
        self.error.clone().filter(|_| self.ended != ended).map(Err)
    }

    /// Stores the outcome of a fetch. After a failed one, the old document stays in use.
    fn complete(&mut self, outcome: Result<Fetched, Error>, now: Now) -> Result<Arc<Metadata>, Error> {
        self.ended += 1;
        match outcome {
            Ok(Fetched { metadata, lifetime }) => {
                let metadata = Arc::new(metadata);
                let fresh_until = Deadline::from_now(now, lifetime);
                self.error = None;
                self.document =
                    Some(CachedMetadata { metadata: metadata.clone(), fetched_at: now, fresh_until, is_usable: true });
                Ok(metadata)
            }
            Err(error) => match &mut self.document {
                Some(document) => {
                    document.fresh_until = Deadline::from_now(now, RETRY);
                    document.is_usable = true;
                    Ok(document.metadata.clone())
                }
                None => {
                    // The service of one caller may be the layer that waits; the services of others are not.
                    self.error = Some(error.clone()).filter(|error| error.kind() != ErrorKind::Recursion);
                    Err(error)
                }
            },
        }
    }
}
