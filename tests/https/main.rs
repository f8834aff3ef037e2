//! Tests of the HTTPS client: dead connections, timeouts, proxies, client certificates, and a system without certificates.
//!
//! Each test runs in its own process, because the trusted certificates are read from environment variables.
#![cfg(feature = "https")]

mod certificates;
mod child_process;
mod connect_timeout;
mod dead_connections;
mod environment;
mod forwarding;
mod identity;
#[cfg(feature = "file-source")]
mod identity_rotation;
mod mutual_tls;
mod proxy;
mod relay;
mod requests;
mod server;
mod socks;
mod tunnels;
