//! For the tests of programs that use the layer: a grant that says what the test tells it to, errors of every kind, and a
//! wall clock to step (feature `test-util`).
//!
//! [Testing](crate::docs::testing) shows how they go together. The monotonic clock is tokio's: `tokio::time::pause` and
//! `advance` steer it. What tokio does not have is the wall clock, and a [`Clock`] steps that.
//!
//! None of it is for production: a feature of one crate is on for all crates of a build, so put it under
//! `[dev-dependencies]`.

mod call;
mod scripted_error;
mod scripted_grant;

pub use self::call::Call;
pub use self::scripted_error::ScriptedError;
pub use self::scripted_grant::ScriptedGrant;
pub use crate::clock::steered::{Clock, Entered};
