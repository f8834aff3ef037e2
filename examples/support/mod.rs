//! A small authorization server and two services that it protects, all on 127.0.0.1, so that examples and tests run
//! with no account and no network. Nothing here is part of the crate: a program talks to servers that already exist.
//!
//! | file | what it is |
//! | --- | --- |
//! | `server.rs` | the authorization server: its settings, its counters, its routes |
//! | `token_endpoint.rs` | `POST /token`: the grants |
//! | `client_auth.rs` | who is asking: Basic or `client_secret_post` |
//! | `form.rs`, `answer.rs` | what comes in and what goes out |
//! | `registry.rs` | the tokens that are good at this moment |
//! | `api.rs`, `grpc.rs` | the protected services, each on a port of its own |
//! | `listener.rs` | a free port, and everything on it stops when the handle is dropped |
//! | `check.rs` | how an example makes sure that it told the truth |

#![allow(dead_code, unused_imports, reason = "each example and each test uses the part that it needs")]

mod answer;
mod api;
mod check;
mod client_auth;
mod form;
mod grpc;
mod listener;
mod registry;
mod server;
mod token_endpoint;

pub(crate) use api::Api;
pub(crate) use check::check;
pub(crate) use grpc::Grpc;
pub(crate) use registry::Registry;
pub(crate) use server::{AuthServer, Settings};
