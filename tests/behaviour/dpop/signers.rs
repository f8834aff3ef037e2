//! Signers that requests wait for, and the service behind which they wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::sync::Semaphore;
use tower::Layer;
use tower::limit::ConcurrencyLimit;
use tower_oauth2::dpop::Dpop;
use tower_oauth2::jwt::{Algorithm, Draft, Signed, Signer, signer_fn};
use tower_oauth2::{Error, OAuth2, OAuth2Layer};

use crate::support::{Inner, Server};

pub(super) fn remote(signer: impl Signer) -> Dpop {
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}).to_string();
    Dpop::signed_by(&jwk, Algorithm::Es256, signer).unwrap()
}

/// Returns the draft with a signature that is not valid.
pub(super) fn signed(draft: Draft) -> Result<Signed, Error> {
    Ok(draft.header(Algorithm::Es256, None)?.signed(&[7; 64]))
}

/// A key whose signer waits for a permit, and the number of its calls.
pub(super) fn gated() -> (Dpop, Arc<Semaphore>, Arc<AtomicUsize>) {
    let (gate, calls) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (waiting, counted) = (gate.clone(), calls.clone());
    let signer = signer_fn(move |draft: Draft| {
        counted.fetch_add(1, Ordering::SeqCst);
        let gate = waiting.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            signed(draft)
        }
    });
    (remote(signer), gate, calls)
}

/// A service with one permit, and the mock server behind it.
pub(super) fn one_permit<G, T>(layer: &OAuth2Layer<G, T>) -> (OAuth2<ConcurrencyLimit<Inner>, G, T>, Server)
where
    OAuth2Layer<G, T>: Layer<ConcurrencyLimit<Inner>, Service = OAuth2<ConcurrencyLimit<Inner>, G, T>>,
{
    let (inner, handle) = tower_test::mock::pair();
    (layer.layer(ConcurrencyLimit::new(inner, 1)), Server::from(handle))
}
