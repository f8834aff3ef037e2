//! How a request went that was sent with the token, and who is to hear of it.

use http::{HeaderMap, HeaderName, Request, Response, StatusCode};

use crate::attach;
use crate::cell::{Cell, Current, Sent};
use crate::challenge::asks_for_others_only;

/// Marks the response to a request whose token was refused, where another token may be had.
#[derive(Clone, Copy)]
pub(crate) struct Refused;

impl Sent {
    /// Puts a token of the cell into the request, however fresh it is.
    pub(crate) fn with<B>(request: &mut Request<B>, current: &Current, cell: &Cell) -> Self {
        attach::insert(request, current.token.header());
        cell.sent(current)
    }

    /// Whether the cell is to hear of it, however it goes.
    #[inline]
    pub(super) fn is_heeded(self) -> bool {
        self.beacon.heeds()
    }

    /// Tells the cell how it went, and those outside of the layer whether another token may do better.
    #[cold]
    #[inline(never)]
    pub(super) fn tell<R>(self, mut response: Response<R>) -> Response<R> {
        let Some(cell) = self.beacon.cell() else { return response };
        let (status, headers) = (response.status(), response.headers());
        if !is_refusal(status, headers) && !cell.is_also_refusal(status, headers) {
            cell.accepted(self.generation);
        } else if cell.refused(self.generation) {
            response.extensions_mut().insert(Refused);
        }
        response
    }
}

/// Whether it may be a refusal, at a quick look: when this says no, it is none.
///
/// Nothing is called with the response's address, for then it would first be copied to a place that has one. To look through the
/// headers costs as much as to look one up when there are about ten.
#[inline(always)]
pub(super) fn may_be_refusal<R>(response: &Response<R>) -> bool {
    response.status() == StatusCode::UNAUTHORIZED || response.headers().keys().any(|name| *name == GRPC_STATUS)
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Any 401 to a request that carried our token counts, unless it clearly asks for something else; and what stands for it in gRPC,
/// a trailers-only response with `UNAUTHENTICATED`.
fn is_refusal(status: StatusCode, headers: &HeaderMap) -> bool {
    (status == StatusCode::UNAUTHORIZED && !asks_for_others_only(headers))
        || headers.get(GRPC_STATUS).is_some_and(|status| status == "16")
}
