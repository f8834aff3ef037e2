#![doc = include_str!("../docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
// Not for tests and examples, so not in the manifest: bad input to the library is an error, never a panic.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod client;
pub mod endpoint;
pub mod error;
pub mod form;
pub mod future;
pub mod grant;
#[cfg(feature = "https")]
pub mod https;
pub mod into_url;
pub mod retry;
pub mod route;
pub mod store;
#[cfg(feature = "test-util")]
pub mod test_util;
pub mod transport;

/// Pages to read, whose examples are compiled and run.
#[cfg(any(doc, doctest))]
pub mod docs {
    // Pictures are drawn here, for the page's own is beside it in the repository only. The line before it is what the list of
    // pages shows, which would show the picture.
    /// The house: its floors, and where something new goes.
    #[doc = ""]
    #[doc = include_str!("../docs/images/floors.svg")]
    #[doc = ""]
    #[doc = include_str!("../docs/architecture.md")]
    pub mod architecture {}
    /// The token over time: its states and its numbers.
    #[doc = ""]
    #[doc = include_str!("../docs/images/states.svg")]
    #[doc = ""]
    #[doc = include_str!("../docs/behaviour.md")]
    pub mod behaviour {}
    /// What the layer costs, beside a static header and other crates.
    #[doc = ""]
    #[doc = include_str!("../docs/images/bench-instructions.svg")]
    #[doc = ""]
    #[doc = include_str!("../docs/benchmarks.md")]
    pub mod benchmarks {}
    #[doc = include_str!("../docs/dependencies.md")]
    pub mod dependencies {}
    #[doc = include_str!("../docs/from-aiohttp-oauth2-client.md")]
    pub mod from_aiohttp_oauth2_client {}
    #[doc = include_str!("../docs/grants.md")]
    pub mod grants {}
    #[doc = include_str!("../docs/observing.md")]
    pub mod observing {}
    #[doc = include_str!("../docs/readiness.md")]
    pub mod readiness {}
    #[doc = include_str!("../docs/request.md")]
    pub mod request {}
    #[doc = include_str!("../docs/security.md")]
    pub mod security {}
    /// Where tokens are kept, and who of many renews one.
    #[doc = ""]
    #[doc = include_str!("../docs/images/one-renewal.svg")]
    #[doc = ""]
    #[doc = include_str!("../docs/stores.md")]
    pub mod stores {}
    // Its examples need the feature, and the page does not.
    #[cfg(any(not(doctest), feature = "test-util"))]
    #[doc = include_str!("../docs/testing.md")]
    pub mod testing {}
    #[doc = include_str!("../docs/troubleshooting.md")]
    pub mod troubleshooting {}
    #[cfg(all(doctest, feature = "https"))]
    #[doc = include_str!("../README.md")]
    pub mod readme {}
}

mod attach;
mod cell;
mod challenge;
mod clock;
mod layer;
mod observe;
mod origin;
mod panics;
mod random;
mod scope;
mod secret;
mod service;
mod sync;
mod token;

pub use self::cell::Tokens;
pub use self::error::failure::Error;
pub use self::error::kind::ErrorKind;
pub use self::layer::OAuth2Layer;
pub use self::service::OAuth2;
pub use self::token::Token;
