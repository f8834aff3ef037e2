//! Runs every example. An example checks its own output and returns an error if it is wrong.
//!
//! The examples are modules of this test and not separate programs, so that the test never runs an outdated build.

#![allow(clippy::duplicate_mod, reason = "each example has its own `mod support`")]

use tower::BoxError;

#[path = "../examples/custom_grant.rs"]
mod custom_grant;
#[path = "../examples/device_code.rs"]
mod device_code;
#[path = "../examples/from_config.rs"]
mod from_config;
#[path = "../examples/hyper_client.rs"]
mod hyper_client;
#[path = "../examples/password.rs"]
mod password;
#[path = "../examples/pushed_login.rs"]
mod pushed_login;
#[path = "../examples/quickstart.rs"]
mod quickstart;
#[path = "../examples/refresh_token.rs"]
mod refresh_token;
#[path = "../examples/reqwest_client.rs"]
mod reqwest_client;
#[path = "../examples/token_exchange.rs"]
mod token_exchange;
#[path = "../examples/tonic_channel.rs"]
mod tonic_channel;
#[path = "../examples/tonic_hyper.rs"]
mod tonic_hyper;
#[path = "../examples/web_application.rs"]
mod web_application;
#[path = "../examples/websocket.rs"]
mod websocket;

#[cfg(feature = "loopback")]
#[path = "../examples/authorization_code.rs"]
mod authorization_code;
#[cfg(feature = "file-store")]
#[path = "../examples/cli_login.rs"]
mod cli_login;
#[cfg(feature = "loopback")]
#[path = "../examples/discovery.rs"]
mod discovery;
#[cfg(feature = "jwt")]
#[path = "../examples/dpop.rs"]
mod dpop;
#[cfg(all(feature = "file-store", feature = "jwt"))]
#[path = "../examples/dpop_restart.rs"]
mod dpop_restart;
#[cfg(feature = "redis-store")]
#[path = "../examples/fleet_redis.rs"]
mod fleet_redis;
#[cfg(feature = "tenants")]
#[path = "../examples/gateway.rs"]
mod gateway;
#[cfg(feature = "https")]
#[path = "../examples/https.rs"]
mod https;
#[cfg(feature = "jwt")]
#[path = "../examples/kms_signer.rs"]
mod kms_signer;
#[cfg(all(feature = "https", feature = "jwt", feature = "loopback"))]
#[path = "../examples/mcp_client.rs"]
mod mcp_client;
#[cfg(feature = "metrics")]
#[path = "../examples/metrics.rs"]
mod metrics;
#[cfg(all(feature = "file-source", feature = "jwt"))]
#[path = "../examples/private_key_jwt.rs"]
mod private_key_jwt;
#[cfg(feature = "loopback")]
#[path = "../examples/step_up.rs"]
mod step_up;
#[cfg(feature = "tenants")]
#[path = "../examples/tenants.rs"]
mod tenants;
#[cfg(all(feature = "file-source", feature = "jwt"))]
#[path = "../examples/workload_identity.rs"]
mod workload_identity;

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

#[cfg(feature = "jwt")]
#[test]
fn kms_signer() -> Result<(), BoxError> {
    kms_signer::main()
}

#[cfg(all(feature = "file-source", feature = "jwt"))]
#[test]
fn private_key_jwt() -> Result<(), BoxError> {
    private_key_jwt::main()
}

#[cfg(feature = "loopback")]
#[test]
fn step_up() -> Result<(), BoxError> {
    step_up::main()
}

#[cfg(feature = "tenants")]
#[test]
fn tenants() -> Result<(), BoxError> {
    tenants::main()
}

#[cfg(feature = "tenants")]
#[test]
fn gateway() -> Result<(), BoxError> {
    gateway::main()
}

#[test]
fn token_exchange() -> Result<(), BoxError> {
    token_exchange::main()
}

#[cfg(all(feature = "file-source", feature = "jwt"))]
#[test]
fn workload_identity() -> Result<(), BoxError> {
    workload_identity::main()
}

#[test]
fn device_code() -> Result<(), BoxError> {
    device_code::main()
}

#[cfg(feature = "loopback")]
#[test]
fn discovery() -> Result<(), BoxError> {
    discovery::main()
}

#[cfg(feature = "jwt")]
#[test]
fn dpop() -> Result<(), BoxError> {
    dpop::main()
}

#[cfg(all(feature = "file-store", feature = "jwt"))]
#[test]
fn dpop_restart() -> Result<(), BoxError> {
    dpop_restart::main()
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
fn from_config() -> Result<(), BoxError> {
    from_config::main()
}

#[test]
fn hyper_client() -> Result<(), BoxError> {
    hyper_client::main()
}

#[cfg(all(feature = "https", feature = "jwt", feature = "loopback"))]
#[test]
fn mcp_client() -> Result<(), BoxError> {
    mcp_client::main()
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
fn pushed_login() -> Result<(), BoxError> {
    pushed_login::main()
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

#[test]
fn websocket() -> Result<(), BoxError> {
    websocket::main()
}
