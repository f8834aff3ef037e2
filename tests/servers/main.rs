//! Against real authorization servers, which others wrote: see `README.md` in this folder.
//!
//! A test whose server does not start here passes, and says on standard error that it did not run.
#![cfg(all(test, unix))]

mod glewlwyd;
mod harness;
#[cfg(feature = "https")]
mod https;
mod oidc_provider;
mod plain;
