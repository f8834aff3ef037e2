//! How often one request was sent, in the request's extensions. A request is repeated with a newer token, or with the API's nonce.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, StatusCode};

use super::{nonces::DPOP_NONCE, promises::Promise, proof_check::nonce_of, run::Run};

/// Once more for a token, and once more for a nonce.
const MAX_SENDS: u32 = 3;

#[derive(Default)]
pub(crate) struct Sends(Mutex<State>);

#[derive(Default)]
struct State {
    count: u32,
    /// The nonce of the last response, if the response demanded it.
    demanded: Option<String>,
}

impl Sends {
    /// Records that the request is sent with these headers.
    pub(crate) fn sent(&self, run: &Run, headers: &HeaderMap) {
        let mut state = self.lock();
        state.count += 1;
        if state.count > MAX_SENDS {
            run.broken(Promise::SendsAreBounded, format!("{} times", state.count));
        }
        let Some(demanded) = state.demanded.take() else { return };
        let proof = headers.get("dpop").and_then(|proof| proof.to_str().ok());
        let nonce = proof.and_then(nonce_of);
        if nonce.as_ref() != Some(&demanded) {
            run.broken(Promise::DemandedNoncesAreUsed, format!("{nonce:?} instead of {demanded}"));
        }
    }

    /// Records the response.
    pub(crate) fn answered(&self, status: StatusCode, headers: &HeaderMap) {
        self.lock().demanded = demanded_nonce(status, headers).map(str::to_owned);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The nonce that a response of the API demands. Its successes contain none.
pub(crate) fn demanded_nonce(status: StatusCode, headers: &HeaderMap) -> Option<&str> {
    let nonce = headers.get(DPOP_NONCE).filter(|_| status == StatusCode::UNAUTHORIZED)?;
    nonce.to_str().ok()
}
