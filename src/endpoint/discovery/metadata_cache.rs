//! Keeps the metadata of one issuer. One caller at a time fetches it, and the waiting callers share its outcome.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::cache_control;
use super::fetch_metadata::Fetched;
use super::metadata::Metadata;
use crate::clock::{self, Deadline, Now};
use crate::error::{Error, ErrorKind};
use crate::sync::{Mutex, lock};
use crate::transport::{ServiceIdentity, Transport};

/// The minimum time for which an outdated document stays in use after a failed fetch, before the next one.
const RETRY: Duration = Duration::from_secs(60);
/// The maximum time for which a token request waits for a new document while the old one can be used.
const MAX_REFETCH: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct MetadataCache {
    state: Mutex<CacheState>,
    /// Wakes the waiting callers when a fetch has ended.
    ended: Notify,
}

#[derive(Default)]
struct CacheState {
    document: Option<CachedMetadata>,
    /// The number of fetches that were started. It identifies the last one.
    started: u64,
    /// Until when the others wait for the last fetch; `None` if it has ended. Its caller may not be polled any more, or its transport may
    /// itself wait for this document.
    awaited_until: Option<Deadline>,
    error: Option<FetchError>,
}

/// The error of the last fetch that has failed. Its number identifies the callers that have waited for it.
struct FetchError {
    number: u64,
    error: Error,
    /// The transport that it concerns, if the server has not responded. The transports of other callers may be better.
    transport: Option<ServiceIdentity>,
}

struct CachedMetadata {
    metadata: Arc<Metadata>,
    fresh_until: Deadline,
    /// Until then, an endpoint that does not exist causes no fetch.
    trusted_until: Deadline,
    /// Whether callers use it while another one fetches a newer one.
    is_usable: bool,
}

enum CacheStep {
    Return(Result<Arc<Metadata>, Error>),
    /// Fetch the document within the limit. The number identifies the fetch.
    Fetch(u64, Duration),
    /// Wait for the fetch with this number, at most so long.
    Wait(u64, Duration),
}

impl MetadataCache {
    /// Returns the document, from the cache or with `fetch`, which gets the maximum time.
    pub(super) async fn get<Fut>(
        &self,
        http: &Transport,
        fetch: impl FnOnce(Duration) -> Fut,
    ) -> Result<Arc<Metadata>, Error>
    where
        Fut: Future<Output = Result<Fetched, Error>>,
    {
        let (start, timeout) = (clock::now(), http.timeout());
        let mut waited_for = None;
        loop {
            // Created before the state is read, so that it misses no change.
            let ended = self.ended.notified();
            let now = clock::now();
            let left = timeout.saturating_sub(now.since(start));
            let step = lock(&self.state).next_step(http, waited_for, left, now);
            match step {
                CacheStep::Return(outcome) => return outcome,
                CacheStep::Fetch(number, limit) => {
                    let running = RunningFetch { cache: self, http, number };
                    let outcome = fetch(limit).await;
                    return running.complete(outcome);
                }
                CacheStep::Wait(number, limit) => {
                    waited_for = Some(number);
                    clock::within(limit, ended).await;
                }
            }
        }
    }

    /// Makes the next caller fetch the document, unless this one is recent, or the last attempt to fetch another one is.
    pub(super) fn expire(&self) {
        let now = clock::now();
        if let Some(document) = &mut lock(&self.state).document
            && document.trusted_until.passed(now)
        {
            document.fresh_until = Deadline::from_now(now, Duration::ZERO);
            document.is_usable = false;
        }
    }
}

impl CacheState {
    /// Decides what a caller does that has waited for the fetch `waited_for`, and has `left` of its timeout.
    fn next_step(&mut self, http: &Transport, waited_for: Option<u64>, left: Duration, now: Now) -> CacheStep {
        let timeout = http.timeout();
        if let Some(fresh) = self.document.as_ref().filter(|document| !document.fresh_until.passed(now)) {
            return CacheStep::Return(Ok(fresh.metadata.clone()));
        }
        if let Some(FetchError { number, error, transport }) = &self.error
            && waited_for == Some(*number)
            && transport.as_ref().is_none_or(|transport| *transport == http.service_identity())
        {
            return CacheStep::Return(Err(error.clone()));
        }
        if waited_for.is_some() && left.is_zero() {
            let why = || format!("another caller has not fetched the metadata within {timeout:?}");
            return CacheStep::Return(self.without_fetch(|| Error::new(ErrorKind::Timeout, why())));
        }
        let in_use = self.document.as_ref().filter(|document| document.is_usable);
        if let Some(until) = self.awaited_until.filter(|until| !until.passed(now)) {
            // An outdated document is better than a wait.
            return match in_use {
                Some(outdated) => CacheStep::Return(Ok(outdated.metadata.clone())),
                None => CacheStep::Wait(self.started, left.min(until.remaining(now))),
            };
        }
        let (limit, awaited) = match in_use {
            Some(_) => (left.min(MAX_REFETCH), MAX_REFETCH),
            None => (left, timeout / 2),
        };
        self.started += 1;
        self.awaited_until = Some(Deadline::from_now(now, awaited));
        CacheStep::Fetch(self.started, limit)
    }

    /// Stores the outcome of the last fetch. After a failed one, the old document stays in use.
    fn complete(&mut self, http: &Transport, outcome: &Result<Fetched, Error>, now: Now) {
        match (outcome, &mut self.document) {
            (Ok(Fetched { metadata, lifetime }), document) => {
                self.error = None;
                *document = Some(CachedMetadata {
                    metadata: metadata.clone(),
                    fresh_until: Deadline::from_now(now, *lifetime),
                    trusted_until: Deadline::from_now(now, cache_control::MIN),
                    is_usable: true,
                });
            }
            (Err(error), Some(document)) => {
                let retry = Deadline::from_now(now, RETRY.max(error.retry_after().unwrap_or_default()));
                (document.fresh_until, document.trusted_until, document.is_usable) = (retry, retry, true);
            }
            (Err(error), None) => {
                let is_response = matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Overloaded);
                let transport = (!is_response).then(|| http.service_identity());
                self.error = Some(FetchError { number: self.started, error: error.clone(), transport });
            }
        }
    }

    /// Returns the old document, if there is one, or the error for which there is no newer one.
    fn without_fetch(&self, error: impl FnOnce() -> Error) -> Result<Arc<Metadata>, Error> {
        self.document.as_ref().map(|document| document.metadata.clone()).ok_or_else(error)
    }
}

/// A fetch that one caller runs. If the caller is dropped, another one fetches.
struct RunningFetch<'a> {
    cache: &'a MetadataCache,
    http: &'a Transport,
    number: u64,
}

impl RunningFetch<'_> {
    fn complete(self, outcome: Result<Fetched, Error>) -> Result<Arc<Metadata>, Error> {
        let mut state = lock(&self.cache.state);
        // A fetch that took too long does not replace the outcome of a later one.
        if state.started == self.number {
            state.complete(self.http, &outcome, clock::now());
        }
        outcome.map(|fetched| fetched.metadata).or_else(|error| state.without_fetch(|| error))
    }
}

impl Drop for RunningFetch<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.cache.state);
        if state.started == self.number {
            state.awaited_until = None;
        }
        drop(state);
        self.cache.ended.notify_waiters();
    }
}
