//! An authorization server that is found by its issuer identifier (RFC 8414, OpenID Connect Discovery 1.0).

mod addresses;
mod caching;
#[cfg(feature = "test-util")]
mod clocks;
mod endpoints;
mod error_texts;
mod grants;
mod issuers;
mod layers;
mod outages;
mod proxies;
mod resources;
pub(crate) mod site;
mod unsent;
mod waiting;
