//! The metadata of a protected resource (RFC 9728) is used only if it is about that resource. Only addresses of the resource, of its
//! challenges and of the authorization servers in the metadata receive a request, and each of them only what is for it.
//!
//! The first section of an input has these lines: `discover` or `layer` with options, the resource, and values of `WWW-Authenticate`. With
//! `discover`, the other sections are the responses of the resource's server. With `layer`, they are the events of `layer.rs`.
//!
//! `$KEY` is a key, which belongs into a query: `?key=$KEY`. In a response with `discover`, it is filled in if the server has received it.
//! With `layer` it is not, because errors print the path of an authorization server. `$RESOURCE` and `$ORIGIN` are the resource and its
//! origin.

#![no_main]

#[path = "resource_metadata/discover.rs"]
mod discover;
#[path = "resource_metadata/layer.rs"]
mod layer;
#[path = "resource_metadata/resource.rs"]
mod resource;
#[path = "resource_metadata/servers.rs"]
mod servers;
#[path = "resource_metadata/state.rs"]
mod state;

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use libfuzzer_sys::{Corpus, fuzz_target};
use tower_oauth2::Challenge;
use tower_oauth2_fuzz::{contains_secret, sections};

use self::resource::{KEY, Resource};

fuzz_target!(|input: &[u8]| -> Corpus {
    if contains_secret(input) {
        return Corpus::Reject;
    }
    let mut sections = sections(input).take(64);
    let first = String::from_utf8_lossy(sections.next().unwrap_or_default()).replace("$KEY", KEY);
    let mut lines = first.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (mode, text) = (next(), next());
    let (mode, options) = mode.split_once(' ').unwrap_or((mode, ""));
    // Errors show addresses without their queries.
    if !["discover", "layer"].contains(&mode) || shows_key(text) {
        return Corpus::Reject;
    }
    let Some(resource) = Resource::parse(text) else { return Corpus::Keep };
    let values = lines.take(8).filter_map(|line| HeaderValue::from_bytes(line.as_bytes()).ok());
    let headers: HeaderMap = values.map(|value| (WWW_AUTHENTICATE, value)).collect();
    for challenge in Challenge::parse(&headers) {
        let shown = [challenge.scope(), challenge.error()].into_iter().flatten().any(|text| text.contains(KEY));
        if shown || challenge.resource_metadata().is_some_and(shows_key) {
            return Corpus::Reject;
        }
    }
    match mode {
        "discover" => discover::run(&resource, &headers, sections),
        _ => layer::run(options, resource, headers, sections),
    }
    Corpus::Keep
});

/// Returns whether the key is in another part of an address than the query.
fn shows_key(address: &str) -> bool {
    address.split('?').next().is_some_and(|address| address.contains(KEY))
}
