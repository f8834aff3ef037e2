//! Sends the requests of grants, with a timeout and a maximum response size.
//!
//! | file | content |
//! | --- | --- |
//! | `handle` | [`Transport`] |
//! | `erased`, `request_limits` | one request through a service whose type is erased, and its limits |
//! | `decode_response`, `content_coding`, `decompress` | the content codings of a response |
//! | `rotation` | a rotated refresh token from a response without a usable access token |

mod content_coding;
mod decode_response;
#[cfg(feature = "decompression")]
mod decompress;
mod erased;
mod handle;
mod request_limits;
mod rotation;

pub(crate) use self::decode_response::{DecodeError, decode_response};
pub(crate) use self::erased::ServiceIdentity;
pub use self::handle::Transport;
pub(crate) use self::request_limits::RequestLimits;
pub(crate) use self::rotation::Rotation;
