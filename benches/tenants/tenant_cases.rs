//! The hot path of a layer with many tokens, beside the layer with one token. The requests carry a key in their extensions.

use std::convert::Infallible;

use http::{Request, Response};
use tower::{Layer, Service, service_fn};
use tower_oauth2_benches::cases::{self, token};
use tower_oauth2_benches::tenants::{Tenant, fresh, keys, request_of};
use tower_oauth2_benches::{Body, Case, no_op, send_request};

/// The reference cases.
pub const NO_LAYER: &str = "no layer, with a key";
pub const ONE_TOKEN: &str = "`OAuth2Layer`, with a key";

/// The cases: no layer, `OAuth2Layer`, and `TenantsLayer` with different numbers of keys.
pub fn cases() -> Vec<Case> {
    let inner = || service_fn(no_op::<Infallible>);
    let one = keys(1);
    let mut cases = vec![
        case(NO_LAYER, &one, inner()),
        case(ONE_TOKEN, &one, cases::fresh(token(64)).layer(inner())),
        Case::new("`OAuth2Layer`, without a key", cases::fresh(token(64)).layer(inner())),
    ];
    for (name, count) in [
        ("**`TenantsLayer`**, one key", 1),
        ("**`TenantsLayer`**, 100 keys in turn", 100),
        ("**`TenantsLayer`**, 10\u{202f}000 keys in turn", 10_000),
    ] {
        let keys = keys(count);
        cases.push(case(name, &keys, fresh(&keys).layer(inner())));
    }
    cases
}

/// Sends a request of each key in turn.
pub fn case<S>(name: &str, keys: &[Tenant], mut service: S) -> Case
where
    S: Service<Request<Body>, Response = Response<Body>> + Send + 'static,
{
    let keys = keys.to_vec();
    // The first response of each token is observed, because it may reject the token.
    for key in &keys {
        send_request(&mut service, request_of(key));
    }
    let mut next = 0;
    Case::repeated(name, move || {
        send_request(&mut service, request_of(&keys[next]));
        next += 1;
        if next == keys.len() {
            next = 0;
        }
    })
}
