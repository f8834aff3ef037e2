//! The behaviour of the layer, through its public API, with one file per topic. In most tests the test is the server, and time is paused.

mod superseded;
mod support;
mod unlocked_store;

mod ahead;
#[cfg(feature = "loopback")]
mod authorization_code;
mod authorization_details;
mod auto_traits;
mod backoff;
mod bounded_polls;
mod boxed;
mod builders;
mod challenge;
mod characters;
#[cfg(feature = "decompression")]
mod compressed;
#[cfg(not(feature = "decompression"))]
mod compressed_without_decoders;
mod context;
mod dead_refresh_token;
mod destinations;
mod device_code;
mod discovery;
mod dpop;
mod dropping;
mod failure_table;
mod failures;
mod flush;
mod grant_options;
mod grant_uses_own_cell;
#[cfg(feature = "tonic")]
mod grpc;
#[cfg(feature = "tonic")]
mod grpc_max_wait;
mod handle;
mod hooks;
mod hot_path;
mod idle_runtimes;
mod initial_token;
mod inner_service;
mod intermediaries;
mod joined_refresh;
mod keep_fresh;
mod keep_fresh_failures;
mod live_services;
mod max_wait;
mod memory_store;
mod messages;
mod on_challenge;
mod options;
mod panics;
mod password;
mod persisted;
#[cfg(feature = "loopback")]
mod protected_resource;
mod readiness;
mod recursion;
mod refresh;
mod refresh_token;
mod refresh_token_dead_when;
mod reject;
mod rejection_wakeups;
mod rejections_bounded;
mod remaining_lifetime;
mod retry_after;
mod retry_copies;
mod retrying;
mod revocation;
mod revoke;
mod revoke_during_refresh;
mod rotated_without_token;
mod rotation;
mod routes;
mod scheme_and_header;
mod scheme_change;
mod scope_on_refresh;
#[cfg(feature = "test-util")]
mod scripted;
mod secrets;
mod spaces;
#[cfg(feature = "test-util")]
mod step_up;
mod stored_refresh_tokens;
#[cfg(feature = "tenants")]
mod tenants;
#[cfg(feature = "test-util")]
mod time;
mod token_request;
mod unauthorized;
mod user_agent;
mod users_errors;
mod waiting;
mod waiting_for_changes;
mod wakers;
mod websocket;
mod without_runtime;
mod zero_lifetime;
