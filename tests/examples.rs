//! Every example, run as its reader would run it: an example checks its own story, and an error ends it.
//!
//! They are compiled in rather than started as programs, so that no run can meet a stale one.

#![allow(clippy::duplicate_mod, reason = "each example has its own `mod support`")]

use tower::BoxError;

#[path = "../examples/custom_grant.rs"]
mod custom_grant;
#[path = "../examples/device_code.rs"]
mod device_code;
#[path = "../examples/hyper_client.rs"]
mod hyper_client;
#[path = "../examples/password.rs"]
mod password;
#[path = "../examples/quickstart.rs"]
mod quickstart;
#[path = "../examples/refresh_token.rs"]
mod refresh_token;
#[path = "../examples/reqwest_client.rs"]
mod reqwest_client;
#[path = "../examples/tonic_channel.rs"]
mod tonic_channel;
#[path = "../examples/tonic_hyper.rs"]
mod tonic_hyper;
#[path = "../examples/web_application.rs"]
mod web_application;

#[cfg(feature = "loopback")]
#[path = "../examples/authorization_code.rs"]
mod authorization_code;
#[cfg(feature = "file-store")]
#[path = "../examples/cli_login.rs"]
mod cli_login;
#[cfg(feature = "redis-store")]
#[path = "../examples/fleet_redis.rs"]
mod fleet_redis;
#[cfg(feature = "https")]
#[path = "../examples/https.rs"]
mod https;
#[cfg(feature = "metrics")]
#[path = "../examples/metrics.rs"]
mod metrics;

#[cfg(feature = "loopback")]
#[test]
fn authorization_code() -> Result<(), BoxError> {
    authorization_code::main()
}

#[cfg(feature = "file-store")]
#[test]
fn cli_login() -> Result<(), BoxError> {
    cli_login::main()
}

#[test]
fn custom_grant() -> Result<(), BoxError> {
    custom_grant::main()
}

#[test]
fn device_code() -> Result<(), BoxError> {
    device_code::main()
}

#[cfg(feature = "redis-store")]
#[test]
fn fleet_redis() -> Result<(), BoxError> {
    fleet_redis::main()
}

#[cfg(feature = "https")]
#[test]
fn https() -> Result<(), BoxError> {
    https::main()
}

#[test]
fn hyper_client() -> Result<(), BoxError> {
    hyper_client::main()
}

#[cfg(feature = "metrics")]
#[test]
fn metrics() -> Result<(), BoxError> {
    metrics::main()
}

#[test]
fn password() -> Result<(), BoxError> {
    password::main()
}

#[test]
fn quickstart() -> Result<(), BoxError> {
    quickstart::main()
}

#[test]
fn refresh_token() -> Result<(), BoxError> {
    refresh_token::main()
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

#[test]
fn web_application() -> Result<(), BoxError> {
    web_application::main()
}
