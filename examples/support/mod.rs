//! A small authorization server and two services that it protects, all on 127.0.0.1, so that examples and tests run
//! with no account and no network. Nothing here is part of the crate: a program talks to servers that already exist.
//!
//! | file | what it is |
//! | --- | --- |
//! | `server.rs`, `settings.rs` | the authorization server: its routes and counters, and how it behaves |
//! | `token_endpoint.rs` | `POST /token`: the grants |
//! | `revocation_endpoint.rs` | `POST /revoke`: a client logs out |
//! | `authorization_endpoint.rs`, `codes.rs` | `/authorize`: a person consents, and a code goes back to the client |
//! | `device_endpoint.rs`, `devices.rs` | `/device_authorization` and `/device`: a person consents for a device |
//! | `pages.rs` | what the person sees |
//! | `client_auth.rs`, `pkce.rs` | who is asking, and whether it is who began |
//! | `form.rs`, `answer.rs` | what comes in and what goes out |
//! | `registry.rs` | the tokens that are good at this moment |
//! | `api.rs`, `grpc.rs` | the protected services, each on a port of its own |
//! | `listener.rs` | a free port, and everything on it stops when the handle is dropped |
//! | `person.rs` | the person with the browser, where no human is |
//! | `check.rs` | how an example makes sure that it told the truth |

#![allow(dead_code, unused_imports, reason = "each example and each test uses the part that it needs")]

mod answer;
mod api;
mod authorization_endpoint;
mod check;
mod client_auth;
mod codes;
mod device_endpoint;
mod devices;
mod form;
mod grpc;
mod listener;
mod pages;
mod person;
mod pkce;
mod registry;
mod revocation_endpoint;
mod server;
mod settings;
mod token_endpoint;

pub(crate) use api::Api;
pub(crate) use check::check;
pub(crate) use grpc::Grpc;
pub(crate) use person::{Choice, Page, Person, browser, somebody_is_there};
pub(crate) use registry::Registry;
pub(crate) use server::AuthServer;
pub(crate) use settings::Settings;
