//! The response future: the future of the inner service, or a request that waits for a token first.
//!
//! | file | content |
//! | --- | --- |
//! | `response_future` | the future |
//! | `sent_token` | the token of a request, and the report of its response to the cell |
//! | `deferred` | a request that waits for a token, or for the inner service |
//! | `protocol` | gRPC statuses for errors |

mod deferred;
mod protocol;
mod response_future;
mod sent_token;

pub(crate) use self::deferred::PendingToken;
pub use self::response_future::ResponseFuture;
pub(crate) use self::sent_token::SentToken;
