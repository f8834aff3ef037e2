//! Clients of other projects over the layer, each against servers in the same process: see `docs/clients.md`.
#![cfg(test)]

#[path = "../../../examples/support/mod.rs"]
mod support;

mod axum;
mod errors;
mod kube;
mod octocrab;
mod opentelemetry_otlp;
mod opentelemetry_otlp_grpc;
mod pages;
mod pooled;
mod protected;
mod protected_grpc;
mod reqwest;
mod reqwest_middleware;
mod rmcp;
mod tonic;
mod tungstenite;
