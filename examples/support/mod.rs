//! A small authorization server and two protected services on 127.0.0.1, so that examples and tests run without an account
//! and without a network. Nothing here is part of the crate: a program uses existing servers.
//!
//! | file | content |
//! | --- | --- |
//! | `server.rs`, `settings.rs` | the authorization server: routes, counters and settings |
//! | `token_endpoint.rs` | `POST /token`: the grants |
//! | `revocation_endpoint.rs` | `POST /revoke`: logout of a client |
//! | `authorization_endpoint.rs`, `codes.rs` | `/authorize`: the user consents, and the client gets a code |
//! | `metadata_endpoint.rs` | `/.well-known/oauth-authorization-server`: the addresses of the endpoints |
//! | `registration_endpoint.rs` | `POST /register`: a client registers itself |
//! | `push_endpoint.rs`, `pushed_requests.rs` | `POST /par`: the client pushes an authorization request |
//! | `device_endpoint.rs`, `devices.rs` | `/device_authorization` and `/device`: the user consents for a device |
//! | `pages.rs` | the HTML pages |
//! | `client_auth.rs`, `assertions.rs`, `pkce.rs` | client authentication, signed assertions and PKCE |
//! | `proofs.rs` | DPoP proofs, and the nonces that servers demand in them |
//! | `form.rs`, `response.rs` | request parameters and responses |
//! | `registry.rs` | the valid tokens |
//! | `api.rs`, `grpc.rs` | the protected services, each on its own port |
//! | `requirements.rs` | what the paths of an API demand beyond a valid token |
//! | `listener.rs` | a listener on a free port, which stops when its handle is dropped |
//! | `person.rs` | a simulated user with a browser, for unattended runs |
//! | `check.rs` | assertions of the examples |

#![allow(dead_code, unused_imports, reason = "each example and each test uses a part of this module")]

mod api;
mod assertions;
mod authorization_endpoint;
mod check;
mod client_auth;
mod codes;
mod device_endpoint;
mod devices;
mod form;
mod grpc;
mod listener;
mod metadata_endpoint;
mod pages;
mod person;
mod pkce;
mod proofs;
mod push_endpoint;
mod pushed_requests;
mod registration_endpoint;
mod registry;
mod requirements;
mod response;
mod revocation_endpoint;
mod server;
mod settings;
mod token_endpoint;

pub(crate) use api::Api;
pub(crate) use check::check;
pub(crate) use grpc::Grpc;
pub(crate) use listener::Listener;
pub(crate) use person::{Choice, Page, Person, browser, is_attended};
pub(crate) use registry::Registry;
pub(crate) use requirements::Requirements;
pub(crate) use response::{ServerResponse, json_response, not_found};
pub(crate) use server::AuthServer;
pub(crate) use settings::Settings;
