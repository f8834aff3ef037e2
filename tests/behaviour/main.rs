//! What the layer promises, one file per promise, from outside. Most are conversations with a mock: the test is the
//! server, and time stands still until the test moves it.

mod support;

mod ahead;
#[cfg(feature = "loopback")]
mod authorization_code;
mod auto_traits;
mod backoff;
mod builders;
mod destinations;
mod device_code;
mod dropping;
mod failures;
#[cfg(feature = "tonic")]
mod grpc;
mod handle;
mod hot_path;
mod options;
mod panics;
mod password;
mod persisted;
mod preset;
mod readiness;
mod recursion;
mod refresh;
mod refresh_token;
mod retrying;
mod revocation;
mod rotation;
mod routes;
#[cfg(feature = "test-util")]
mod scripted;
mod secrets;
#[cfg(feature = "test-util")]
mod time;
mod token_request;
mod unauthorized;
mod waiting;
mod without_runtime;
