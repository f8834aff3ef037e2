//! Against real authorization servers, which others wrote: see `README.md` in this folder.
//!
//! A test whose server does not start here passes, and says on standard error that it did not run.
#![cfg(all(test, unix))]

#[cfg(feature = "loopback")]
mod authorization_code;
mod device_code;
mod expiry;
mod glewlwyd;
mod harness;
#[cfg(feature = "https")]
mod https;
mod keeper;
mod oidc_provider;
mod password;
mod person;
mod plain;
#[cfg(feature = "loopback")]
mod refresh;
#[cfg(feature = "loopback")]
mod stored;
mod turn;
