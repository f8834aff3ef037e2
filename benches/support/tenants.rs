//! Tenants with fresh tokens, and requests that carry their keys.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tower_oauth2::Token;
use tower_oauth2::tenants::TenantsLayer;

use crate::cases::{no_token, token};
use crate::{Body, request};

/// The key: a name of eleven characters. Cloning it allocates nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tenant(Arc<str>);

/// Returns the keys of this many tenants.
pub fn keys(count: usize) -> Vec<Tenant> {
    (0..count).map(|number| Tenant(format!("tenant-{number:04}").into())).collect()
}

/// A layer whose tenants have no token.
pub fn without_tokens(max: usize) -> TenantsLayer<Tenant> {
    TenantsLayer::new(|_: &Tenant| Ok(no_token())).max_tenants(max).expect("the layer was not used")
}

/// A layer with a token for each of the keys, which expires after an hour.
pub fn fresh(keys: &[Tenant]) -> TenantsLayer<Tenant> {
    // Twice as many as there are keys, because the parts of the map are not filled evenly.
    let layer = without_tokens((keys.len() * 2).max(1000));
    for key in keys {
        let token = Token::bearer(token(64)).expect("a token is ASCII");
        let tokens = layer.tokens(key).expect("the grant is valid");
        tokens.set(token.with_expires_in(Duration::from_secs(3600)));
    }
    assert_eq!(layer.len(), keys.len());
    layer
}

/// Creates a [`request`] with the key in its extensions.
#[inline]
pub fn request_of(key: &Tenant) -> Request<Body> {
    let mut request = request();
    request.extensions_mut().insert(key.clone());
    request
}
