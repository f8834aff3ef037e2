//! The token endpoint: sends a form, returns a token (RFC 6749 §3.2).
//!
//! | file | content |
//! | --- | --- |
//! | `token_endpoint`, `endpoint_address` | an endpoint: its address, its client and its headers |
//! | `discovery` | the issuer of a server, and its metadata |
//! | `bound_requests` | requests with a proof by the key that the tokens are bound to |
//! | `quirks`, `hooks`, `dead_refresh_token` | options for servers that deviate from the standard, and the functions of the user |
//! | `request`, `protocol_headers`, `request_secrets` | the request, and the secrets in it that no error repeats |
//! | `resolve` | the address of one request, and errors with what the metadata says |
//! | `send` | a token request from the form to the token |
//! | `response_body`, `response`, `classify`, `retry_after`, `delta_seconds` | the body of a response, its members, its error, and the requested delay |
//! | `registration` | the registration of a client |
//! | `revocation` | the revocation endpoint |

mod bound_requests;
mod classify;
mod dead_refresh_token;
mod delta_seconds;
mod discovery;
mod endpoint_address;
mod hooks;
mod protocol_headers;
mod quirks;
mod registration;
mod request;
mod request_secrets;
mod resolve;
mod response;
mod response_body;
mod retry_after;
mod revocation;
mod send;
mod token_endpoint;

pub(crate) use self::discovery::EndpointMember;
// For rustdoc's search, the aliases of a type in a private module must be on its re-export.
pub use self::discovery::IntoIssuer;
#[doc(alias = "openid-configuration")]
#[doc(alias = "well-known")]
pub use self::discovery::Issuer;
#[doc(alias = "openid-configuration")]
pub use self::discovery::Metadata;
pub use self::discovery::ResourceMetadata;
pub(crate) use self::discovery::{ResourceId, ResourceLookup};
pub(crate) use self::endpoint_address::Address;
pub use self::registration::Registration;
#[cfg(feature = "loopback")]
pub(crate) use self::registration::registered_client;
pub(crate) use self::response::EndpointResponse;
pub use self::revocation::RevocationEndpoint;
pub use self::token_endpoint::TokenEndpoint;
