#![doc = include_str!("../docs/crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
// Bad input to the library must be an error, not a panic. The lints are here and not in the manifest, because tests and examples may panic.
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// The print macros panic if standard output or standard error is closed.
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod client;
pub mod dpop;
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
pub mod source;
#[doc(alias = "cache")]
pub mod store;
#[cfg(feature = "tenants")]
#[doc(alias = "on-behalf-of")]
#[doc(alias = "multi-tenant")]
pub mod tenants;
#[cfg(feature = "test-util")]
pub mod test_util;
pub mod transport;

/// The guide: pages whose examples are compiled and run.
#[cfg(any(doc, doctest))]
pub mod docs {
    // The pictures are included inline, because rustdoc does not copy image files. The line before each picture is the summary in the
    // list of pages.
    /// Describes the modules of the crate, and where to add something.
    #[doc = ""]
    #[doc = include_str!("../docs/images/floors.svg")]
    #[doc = ""]
    #[doc = include_str!("../docs/architecture.md")]
    pub mod architecture {}
    /// Describes the states of the token, waiting, timing, errors and rejections.
    #[doc = ""]
    #[doc = include_str!("../docs/images/states.svg")]
    #[doc = ""]
    #[doc = include_str!("../docs/behaviour.md")]
    #[doc(alias = "expire")]
    #[doc(alias = "refresh")]
    #[doc(alias = "single flight")]
    pub mod behaviour {}
    /// Compares the performance of the layer with a static header and with other crates.
    #[doc = ""]
    #[doc = include_str!("../docs/images/bench-instructions.svg")]
    #[doc = ""]
    #[doc = include_str!("../docs/benchmarks.md")]
    pub mod benchmarks {}
    // Its programs need the crates of the clients. They are tests of the package `tests/clients`.
    #[cfg(not(doctest))]
    #[doc = include_str!("../docs/clients.md")]
    #[doc(alias = "kube")]
    #[doc(alias = "octocrab")]
    pub mod clients {}
    #[doc = include_str!("../docs/comparison.md")]
    #[doc(alias = "alternatives")]
    pub mod comparison {}
    #[doc = include_str!("../docs/dependencies.md")]
    pub mod dependencies {}
    #[doc = include_str!("../docs/discovery.md")]
    #[doc(alias = "openid-configuration")]
    #[doc(alias = "well-known")]
    pub mod discovery {}
    // Its examples need the features, and the page does not.
    #[cfg(any(not(doctest), all(feature = "file-store", feature = "jwt")))]
    #[doc = include_str!("../docs/dpop.md")]
    #[doc(alias = "sender-constrained")]
    pub mod dpop {}
    #[doc = include_str!("../docs/from-aiohttp-oauth2-client.md")]
    pub mod from_aiohttp_oauth2_client {}
    #[doc = include_str!("../docs/grants.md")]
    pub mod grants {}
    #[doc = include_str!("../docs/mcp.md")]
    pub mod mcp {}
    #[doc = include_str!("../docs/observing.md")]
    pub mod observing {}
    #[doc = include_str!("../docs/readiness.md")]
    pub mod readiness {}
    #[doc = include_str!("../docs/request.md")]
    pub mod request {}
    #[doc = include_str!("../docs/security.md")]
    pub mod security {}
    // Its examples need the features, and the page does not.
    #[cfg(any(not(doctest), all(feature = "file-source", feature = "jwt")))]
    #[doc = include_str!("../docs/signing.md")]
    pub mod signing {}
    /// Explains how to store a login and share it between processes.
    #[doc = ""]
    #[doc = include_str!("../docs/images/one-refresh.svg")]
    #[doc = ""]
    #[doc = include_str!("../docs/stores.md")]
    #[doc(alias = "rotation")]
    pub mod stores {}
    #[doc = include_str!("../docs/step_up.md")]
    pub mod step_up {}
    // Its examples need the feature, and the page does not.
    #[cfg(any(not(doctest), feature = "tenants"))]
    #[doc = include_str!("../docs/tenants.md")]
    pub mod tenants {}
    // The page is part of every build of the docs, but its doctests need the feature.
    #[cfg(any(not(doctest), feature = "test-util"))]
    #[doc = include_str!("../docs/testing.md")]
    pub mod testing {}
    #[doc = include_str!("../docs/troubleshooting.md")]
    pub mod troubleshooting {}
    #[cfg(all(doctest, feature = "https"))]
    #[doc = include_str!("../README.md")]
    pub mod readme {}
}

/// Signed tokens: clients that sign, keys and signers (RFC 7515, RFC 7519, RFC 7523).
///
/// [`Client::private_key_jwt`](client::Client::private_key_jwt) signs with a [`Key`](jwt::Key), a [`KeyFile`](jwt::KeyFile) or a
/// [`Signer`](jwt::Signer) of your own, such as a KMS.
pub mod jwt {
    #[cfg(feature = "jwt")]
    pub use crate::jose::Key;
    pub use crate::jose::{Algorithm, Draft, Signed, Signer, SignerFn, SigningInput, raw_from_der, signer_fn};
    pub use crate::source::claims::Claims;
    #[cfg(all(feature = "file-source", feature = "jwt"))]
    pub use crate::source::key_file::KeyFile;
}

mod authorize;
#[cfg(any(feature = "file-source", feature = "file-store", feature = "keyring-store"))]
mod blocking;
mod catch_panic;
mod cell;
mod challenge;
mod clock;
mod extensions;
mod jose;
mod layer;
mod observe;
mod options;
mod origin;
mod random;
mod rejection;
mod scope;
mod secret;
mod service;
mod sync;
mod text;
mod token;

// For rustdoc's search, the aliases of a type in a private module must be on its re-export.
#[doc(alias = "cache")]
pub use self::cell::Tokens;
pub use self::challenge::Challenge;
pub use self::error::kind::ErrorKind;
pub use self::error::opaque::Error;
#[doc(alias = "single flight")]
#[doc(alias = "singleflight")]
pub use self::layer::OAuth2Layer;
pub use self::service::OAuth2;
pub use self::token::Token;
