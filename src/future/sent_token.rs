//! The token of a request, and the report of its response to the cell.

use std::sync::{Arc, Weak};

use http::{HeaderMap, Response, StatusCode};

use crate::cell::{CachedToken, TokenCell, find_cell};
use crate::extensions::TokenRejected;
use crate::rejection::is_rejection;

/// The token that a request was sent with.
pub(crate) struct SentToken {
    generation: u64,
    /// The cell, if it observes every response. Otherwise the cell is looked up only after a rejection.
    observing_cell: Option<Weak<TokenCell>>,
}

impl SentToken {
    pub(super) fn new(token: &CachedToken, cell: &Arc<TokenCell>) -> Self {
        let observing_cell = cell.observes_responses().then(|| Arc::downgrade(cell));
        Self { generation: token.generation, observing_cell }
    }

    /// Returns whether the cell observes every response.
    pub(super) fn is_observed(&self) -> bool {
        self.observing_cell.is_some()
    }

    /// Reports the response to the cell. Returns its mark if it rejects the token, or demands another one.
    pub(super) fn observe(&self, status: StatusCode, headers: &HeaderMap, is_repeated: bool) -> Option<TokenRejected> {
        let cell = match &self.observing_cell {
            Some(cell) => cell.upgrade(),
            None => find_cell(self.generation),
        };
        let challenged =
            cell.as_ref().and_then(|cell| cell.observe_challenge(self.generation, status, headers, is_repeated));
        challenged.unwrap_or_else(|| observe(self.generation, cell, status, headers))
    }

    /// Reports the response to the cell, and marks it if the request needs another token. `is_repeated` is whether the request was repeated
    /// because of a challenge.
    pub(super) fn report<R>(&self, response: Response<R>, is_repeated: bool) -> Response<R> {
        let rejected = self.observe(response.status(), response.headers(), is_repeated);
        marked(response, rejected)
    }
}

/// The generation of a request without a token.
pub(super) const NO_TOKEN: u64 = 0;

/// Reports a response that may be a rejection, for a request of the fast path.
#[cold]
#[inline(never)]
pub(super) fn report_rejection<R>(generation: u64, response: Response<R>) -> Response<R> {
    if generation == NO_TOKEN {
        return response;
    }
    let rejected = observe(generation, find_cell(generation), response.status(), response.headers());
    marked(response, rejected)
}

fn observe(
    generation: u64,
    cell: Option<Arc<TokenCell>>,
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<TokenRejected> {
    let rejected = match cell {
        Some(cell) => cell.observe_response(generation, status, headers),
        // The layer and its services were dropped, so no newer token can be obtained.
        None => is_rejection(status, headers, "Bearer").then_some(false),
    };
    rejected.map(|is_retryable| TokenRejected::token(generation, is_retryable))
}

/// Adds the mark to the extensions of a response.
pub(super) fn marked<R>(mut response: Response<R>, rejected: Option<TokenRejected>) -> Response<R> {
    if let Some(rejected) = rejected {
        response.extensions_mut().insert(rejected);
    }
    response
}
