//! Tests with real authorization servers of other projects: see `README.md` in this folder.
//!
//! A test whose server does not start here passes, and prints to standard error that it did not run.
#![cfg(all(test, unix))]

#[cfg(feature = "loopback")]
mod authorization_code;
#[cfg(feature = "loopback")]
mod authorization_details;
mod device_code;
#[cfg(feature = "jwt")]
mod discovered_audience;
#[cfg(feature = "loopback")]
mod discovered_logins;
mod discovery;
mod discovery_errors;
#[cfg(all(feature = "jwt", feature = "loopback"))]
mod dpop;
#[cfg(all(feature = "jwt", feature = "loopback"))]
mod dpop_api;
#[cfg(all(feature = "jwt", feature = "loopback"))]
mod dpop_load;
#[cfg(all(feature = "jwt", feature = "loopback", feature = "file-store"))]
mod dpop_restarts;
#[cfg(all(feature = "jwt", feature = "loopback"))]
mod dpop_service;
mod exclusive;
mod expiry;
mod glewlwyd;
mod harness;
mod herd;
#[cfg(feature = "https")]
mod https;
#[cfg(all(feature = "https", feature = "jwt", feature = "file-source"))]
mod mutual_tls;
mod oidc_provider;
mod or_skip;
mod password;
mod plain;
mod process;
#[cfg(feature = "loopback")]
mod protected_resource;
#[cfg(feature = "loopback")]
mod pushed;
#[cfg(feature = "loopback")]
mod refresh;
#[cfg(all(feature = "jwt", feature = "file-source"))]
mod registration;
#[cfg(all(feature = "jwt", feature = "file-source"))]
mod rotation;
#[cfg(all(feature = "jwt", feature = "loopback"))]
mod signed_requests;
#[cfg(feature = "jwt")]
mod signing;
#[cfg(feature = "loopback")]
mod step_up;
#[cfg(feature = "loopback")]
mod stored;
#[cfg(feature = "tenants")]
mod tenants;
mod token_exchange;
mod user;
