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

    /// Whether the cell is to hear of it.
    #[inline]
    pub(super) fn is_told<R>(self, response: &Response<R>) -> bool {
        is_refusal(response.status(), response.headers()) || self.beacon.heeds()
    }

    /// Tells the cell how it went, and those outside of the layer whether another token may do better.
    #[cold]
    pub(super) fn tell<R>(self, mut response: Response<R>) -> Response<R> {
        let (status, headers) = (response.status(), response.headers());
        let Some(cell) = self.beacon.cell() else { return response };
        if !is_refusal(status, headers) && !cell.is_also_refusal(status, headers) {
            cell.accepted(self.generation);
        } else if cell.refused(self.generation) {
            response.extensions_mut().insert(Refused);
        }
        response
    }
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Any 401 to a request that carried our token counts, unless it clearly asks for something else; and what stands for it in gRPC,
/// a trailers-only response with `UNAUTHENTICATED`.
#[inline]
fn is_refusal(status: StatusCode, headers: &HeaderMap) -> bool {
    (status == StatusCode::UNAUTHORIZED && !asks_for_others_only(headers))
        || (!headers.is_empty() && headers.get(GRPC_STATUS).is_some_and(|status| status == "16"))
}
