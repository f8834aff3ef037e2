//! Clients of other projects over the layer, each against servers in the same process: see `docs/clients.md`.
#![cfg(test)]

#[path = "../../../examples/support/mod.rs"]
mod support;

mod errors;
mod kube;
mod octocrab;
mod pages;
mod pooled;
mod protected;
