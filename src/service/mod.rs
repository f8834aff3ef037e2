//! The service: waits for a token before it is ready, and attaches the token to each request.
//!
//! | file | content |
//! | --- | --- |
//! | `oauth2` | the service, and the state that its clones share |
//! | `service_impl` | `poll_ready` and `call`: the fast path |
//! | `readiness` | `poll_ready` without a fresh token |
//! | `slow_path` | `call` for all other requests |

mod oauth2;
mod readiness;
mod service_impl;
mod slow_path;

pub use self::oauth2::OAuth2;
#[cfg(feature = "tenants")]
pub(crate) use self::oauth2::Readiness;
pub(crate) use self::oauth2::ServiceState;
#[cfg(feature = "tenants")]
pub(crate) use self::slow_path::SlowCall;
