//! A request that was sent without a token, because no server has demanded one yet.

use std::sync::{Arc, Weak};

use http::Response;

use super::sent_token::marked;
use crate::cell::TokenCell;
use crate::rejection::maybe_rejected;
use crate::transport::Transport;

/// What the response of such a request needs to start the first refresh.
pub(crate) struct SentWithoutToken {
    cell: Weak<TokenCell>,
    /// The generation of the last token when the request was sent.
    generation: u64,
    /// The transport of the service that has sent the request, which may be dropped before the response.
    transport: Transport,
}

impl SentWithoutToken {
    pub(crate) fn new(cell: &Arc<TokenCell>, generation: u64, transport: Transport) -> Self {
        Self { cell: Arc::downgrade(cell), generation, transport }
    }

    /// Reports a response that may demand a token, and marks it if the request can be repeated with one.
    pub(super) fn report<R>(&self, response: Response<R>) -> Response<R> {
        let cell = maybe_rejected(&response).then(|| self.cell.upgrade()).flatten();
        let demanded = cell.and_then(|cell| {
            cell.observe_without_token(self.generation, response.status(), response.headers(), &self.transport)
        });
        marked(response, demanded)
    }
}
