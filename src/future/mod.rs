//! The response future: the future of the inner service, or a request that waits for a token first.
//!
//! | file | content |
//! | --- | --- |
//! | `response_future` | the future |
//! | `attachment` | attaches the token to a request |
//! | `sent_token` | the token of a request, and the report of its response to the cell |
//! | `sent_proof` | the proof of a request, the nonce of its response, and the wait for a signer |
//! | `sent_without_token` | a request without a token, whose response may demand one |
//! | `slow_request` | a request that waits, or that was sent with a proof |
//! | `deferred` | a request that waits for a token, or for the inner service |
//! | `protocol` | gRPC statuses for errors |

mod attachment;
mod deferred;
mod protocol;
mod response_future;
mod sent_proof;
mod sent_token;
mod sent_without_token;
mod slow_request;

pub(crate) use self::attachment::{Attached, Attachment};
pub(crate) use self::deferred::{PendingToken, TokenWait};
pub use self::response_future::ResponseFuture;
pub(crate) use self::sent_without_token::SentWithoutToken;
