//! Every example, run as its reader would run it: an example checks its own story, and an error ends it.
//!
//! They are compiled in rather than started as programs, so that no run can meet a stale one.

#![allow(clippy::duplicate_mod, reason = "each example has its own `mod support`")]

use tower::BoxError;

#[path = "../examples/hyper_client.rs"]
mod hyper_client;
#[path = "../examples/quickstart.rs"]
mod quickstart;
#[path = "../examples/reqwest_client.rs"]
mod reqwest_client;
#[path = "../examples/tonic_channel.rs"]
mod tonic_channel;
#[path = "../examples/tonic_hyper.rs"]
mod tonic_hyper;

#[cfg(feature = "https")]
#[path = "../examples/https.rs"]
mod https;

#[test]
fn hyper_client() -> Result<(), BoxError> {
    hyper_client::main()
}

#[cfg(feature = "https")]
#[test]
fn https() -> Result<(), BoxError> {
    https::main()
}

#[test]
fn quickstart() -> Result<(), BoxError> {
    quickstart::main()
}

#[test]
fn reqwest_client() -> Result<(), BoxError> {
    reqwest_client::main()
}

#[test]
fn tonic_channel() -> Result<(), BoxError> {
    tonic_channel::main()
}

#[test]
fn tonic_hyper() -> Result<(), BoxError> {
    tonic_hyper::main()
}
