//! Reports the requests of the layer and the operations of its store, without a change.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::watch;
use tower::{BoxError, Service};
use tower_oauth2::store::{Entry, Key, TokenStore};

use crate::plain::Http;
use crate::report::{Line, now};

/// The client under the layer.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) http: Http,
    pub(crate) token_url: Arc<str>,
    pub(crate) seen: Arc<Seen>,
}

/// Counts the tokens that were sent, and those that were obtained.
#[derive(Default)]
pub(crate) struct Seen {
    used: Mutex<HashSet<HeaderValue>>,
    own: AtomicU64,
}

impl Seen {
    pub(crate) fn used(&self) -> u64 {
        self.used.lock().unwrap().len() as u64
    }

    pub(crate) fn own(&self) -> u64 {
        self.own.load(Ordering::Relaxed)
    }
}

impl Service<Request<Full<Bytes>>> for Wire {
    type Response = Response<Incoming>;
    type Error = hyper_util::client::legacy::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.http.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        if request.uri() != &*self.token_url {
            if let Some(token) = request.headers().get(AUTHORIZATION) {
                self.seen.used.lock().unwrap().insert(token.clone());
            }
            return Box::pin(self.http.call(request));
        }
        let seen = self.seen.clone();
        Line::Requested { at: now() }.print();
        let response = self.http.call(request);
        Box::pin(async move {
            let response = response.await;
            let status = response.as_ref().ok().map(|response| response.status().as_u16());
            Line::Responded { at: now(), status }.print();
            if status == Some(200) {
                seen.own.fetch_add(1, Ordering::Relaxed);
            }
            response
        })
    }
}

/// The lock of the store.
pub(crate) struct Held<L>(L);

/// Reports the release before it happens, so that reported overlaps are real.
impl<L> Drop for Held<L> {
    fn drop(&mut self) {
        Line::Released { at: now() }.print();
    }
}

/// Reports the operations of a store.
pub(crate) struct Watched<S>(pub(crate) S);

impl<S: TokenStore> TokenStore for Watched<S> {
    type Lock = Held<S::Lock>;

    async fn lock(&self, key: &Key) -> Result<Self::Lock, BoxError> {
        let lock = self.0.lock(key).await?;
        Line::Locked { at: now() }.print();
        Ok(Held(lock))
    }

    async fn try_lock(&self, key: &Key) -> Result<Option<Self::Lock>, BoxError> {
        let lock = self.0.try_lock(key).await?;
        Ok(lock.map(|lock| {
            Line::Locked { at: now() }.print();
            Held(lock)
        }))
    }

    async fn load(&self, key: &Key) -> Result<Option<Entry>, BoxError> {
        self.0.load(key).await
    }

    async fn save(&self, key: &Key, entry: &Entry, lock: &mut Self::Lock) -> Result<(), BoxError> {
        let saved = self.0.save(key, entry, &mut lock.0).await;
        Line::Saved { at: now(), whole: saved.is_ok() }.print();
        saved
    }

    async fn clear(&self, key: &Key, generation: u64) -> Result<(), BoxError> {
        self.0.clear(key, generation).await
    }

    async fn was_cleared(&self, key: &Key) -> Result<bool, BoxError> {
        self.0.was_cleared(key).await
    }

    fn changes(&self, key: &Key) -> Option<watch::Receiver<Option<Entry>>> {
        self.0.changes(key)
    }
}
