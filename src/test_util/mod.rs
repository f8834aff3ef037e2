//! Utilities for tests of programs that use the layer: a grant with a script, errors of every kind, and a wall clock that a
//! test controls (feature `test-util`).
//!
//! [Testing](crate::docs::testing) shows how to use them together. The layer reads the monotonic clock from tokio, so
//! `tokio::time::pause` and `advance` control it. A [`Clock`] controls the wall clock, which tokio does not have.
//!
//! Do not enable the feature in production. Cargo enables a feature for all crates of a build, so put this crate with the
//! feature under `[dev-dependencies]`.

mod grant_call;
mod scripted_error;
mod scripted_grant;

pub use self::grant_call::Call;
pub use self::scripted_error::ScriptedError;
pub use self::scripted_grant::ScriptedGrant;
pub use crate::clock::mock::{Clock, Entered};
