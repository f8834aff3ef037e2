//! The token endpoint: sends a form, returns a token (RFC 6749 §3.2).
//!
//! | file | content |
//! | --- | --- |
//! | `token_endpoint` | an endpoint: its address, its client and its headers |
//! | `quirks`, `hooks`, `dead_refresh_token` | options for servers that deviate from the standard, and the functions of the user |
//! | `request`, `request_secrets` | the request, and the secrets in it that no error repeats |
//! | `send` | a token request from the form to the token |
//! | `response_body`, `response`, `classify`, `retry_after` | the body of a response, its members, its error, and the requested delay |
//! | `revocation` | the revocation endpoint |

mod classify;
mod dead_refresh_token;
mod hooks;
mod quirks;
mod request;
mod request_secrets;
mod response;
mod response_body;
mod retry_after;
mod revocation;
mod send;
mod token_endpoint;

pub(crate) use self::response::EndpointResponse;
pub use self::revocation::RevocationEndpoint;
pub use self::token_endpoint::TokenEndpoint;
