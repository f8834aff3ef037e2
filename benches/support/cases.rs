//! The cases of the hot path: no layer, a static header, and this crate's layer with a fresh token.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use tower::retry::RetryLayer;
use tower::{Layer, ServiceBuilder, service_fn};
use tower_http::auth::AddAuthorizationLayer;
use tower_oauth2::grant::{Context, Grant, grant_fn};
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::minimal::MinimalLayer;
use crate::{Case, no_op};

/// The reference cases.
pub const NO_LAYER: &str = "no layer";
pub const STATIC: &str = "static header, 64 B";
pub const STATIC_KIB: &str = "static header, 1 KiB";
pub const LAYER: &str = "**tower-oauth2**, 64 B";
pub const LAYER_KIB: &str = "**tower-oauth2**, 1 KiB";

/// Returns a token with this number of characters.
pub fn token(length: usize) -> String {
    "abcdefghijklmnopqrstuvwxyz-._~0123456789".chars().cycle().take(length).collect()
}

/// A grant that never returns a token. A case that waits for one panics, because its response is pending.
pub fn no_token() -> impl Grant {
    grant_fn(async |_: Context| -> Result<Token, Error> { pending().await })
}

/// A layer whose token expires after an hour. Each request checks the expiry.
pub fn fresh(token: String) -> OAuth2Layer<impl Grant> {
    let layer = OAuth2Layer::new(no_token());
    let token = Token::bearer(token).expect("a token is ASCII");
    layer.tokens().set(token.with_expires_in(Duration::from_secs(3600)));
    layer
}

pub fn hot_path() -> Vec<Case> {
    let inner = || service_fn(no_op::<Infallible>);
    let retry = || RetryLayer::new(RetryUnauthorized::new());
    let bound = fresh(token(64)).origin("https://api.example.com").expect("a URL");
    let header = format!("Bearer {}", token(64)).parse().expect("a token is ASCII");
    vec![
        Case::new(NO_LAYER, inner()),
        Case::new(STATIC, AddAuthorizationLayer::bearer(&token(64)).layer(inner())),
        Case::new(STATIC_KIB, AddAuthorizationLayer::bearer(&token(1024)).layer(inner())),
        Case::new("minimal layer that waits and checks for 401", MinimalLayer { inner: inner(), header }),
        Case::new(LAYER, fresh(token(64)).layer(inner())),
        Case::new(LAYER_KIB, fresh(token(1024)).layer(inner())),
        Case::new("**tower-oauth2**, bound to an origin", bound.layer(inner())),
        Case::new("tower's `Retry` alone, which copies the request", {
            ServiceBuilder::new().layer(retry()).service(inner())
        }),
        Case::new("**tower-oauth2** under `Retry`, which retries after a 401", {
            ServiceBuilder::new().layer(retry()).layer(fresh(token(64))).service(inner())
        }),
    ]
}

/// All cases, including those of the peer crates.
pub fn all() -> Vec<Case> {
    #[allow(unused_mut, reason = "only the peer crates add more")]
    let mut cases = hot_path();
    #[cfg(feature = "peers")]
    cases.extend(crate::peers::hot_path());
    cases
}
