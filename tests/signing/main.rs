//! Clients and grants that sign: what the layer promises, from outside, one file per promise.
#![cfg(all(feature = "jwt", feature = "file-source"))]

mod bad_keys;
mod chains;
mod client_assertion;
mod dpop_proofs;
mod files;
mod foreign_verifiers;
mod jwt_bearer;
#[path = "../servers/or_skip.rs"]
mod or_skip;
mod other_grants;
mod secrets;
mod sources;
mod support;
mod token_exchange;
mod wycheproof;
