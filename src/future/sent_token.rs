//! The token of a request, and the report of its response to the cell.

use std::sync::{Arc, Weak};

use http::{Request, Response};

use crate::authorize::AuthorizePolicy;
use crate::cell::{CachedToken, TokenCell, find_cell};
use crate::error::Error;
use crate::extensions::TokenRejected;
use crate::rejection::is_rejection;

/// The token that a request was sent with.
pub(crate) struct SentToken {
    generation: u64,
    /// The cell, if it observes every response. Otherwise the cell is looked up only after a rejection.
    observing_cell: Option<Weak<TokenCell>>,
}

impl SentToken {
    /// Attaches the token to a request.
    ///
    /// # Errors
    ///
    /// If the token is bound to a key.
    pub(crate) fn attach<B>(
        request: &mut Request<B>,
        token: &CachedToken,
        policy: &AuthorizePolicy,
        cell: &Arc<TokenCell>,
    ) -> Result<Self, Error> {
        cell.check_binding(&token.token)?;
        policy.insert(request, token.header());
        token.keep_header();
        let observing_cell = cell.observes_responses().then(|| Arc::downgrade(cell));
        Ok(Self { generation: token.generation, observing_cell })
    }

    /// Returns whether the cell observes every response.
    pub(super) fn is_observed(&self) -> bool {
        self.observing_cell.is_some()
    }

    /// Reports the response to the cell, and marks it if it rejects the token.
    pub(super) fn report<R>(&self, response: Response<R>) -> Response<R> {
        let cell = match &self.observing_cell {
            Some(cell) => cell.upgrade(),
            None => find_cell(self.generation),
        };
        report(self.generation, cell, response)
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
    report(generation, find_cell(generation), response)
}

/// Reports a response to the cell, and marks it if it rejects the token.
fn report<R>(generation: u64, cell: Option<Arc<TokenCell>>, mut response: Response<R>) -> Response<R> {
    let (status, headers) = (response.status(), response.headers());
    let rejected = match cell {
        Some(cell) => cell.observe_response(generation, status, headers),
        // The layer and its services were dropped, so no newer token can be obtained.
        None => is_rejection(status, headers, "Bearer").then_some(false),
    };
    if let Some(is_retryable) = rejected {
        response.extensions_mut().insert(TokenRejected::new(generation, is_retryable));
    }
    response
}
