//! An authorization server that is found by its issuer identifier (RFC 8414, OpenID Connect Discovery 1.0).

mod addresses;
mod caching;
mod endpoints;
mod grants;
mod issuers;
pub(crate) mod site;
