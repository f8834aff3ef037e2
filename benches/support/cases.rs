//! The hot path: no layer, a static header, and this crate's layer with a fresh token.

use std::convert::Infallible;
use std::time::Duration;

use tower::retry::RetryLayer;
use tower::{Layer, ServiceBuilder, service_fn};
use tower_http::auth::AddAuthorizationLayer;
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::floor::Floor;
use crate::{Case, no_op};

/// What everything is compared with: nothing, and a header that never changes.
pub const NO_LAYER: &str = "no layer";
pub const STATIC: &str = "static header, 64 B";
pub const LAYER: &str = "**tower-oauth2**, 64 B";
pub const LAYER_KIB: &str = "**tower-oauth2**, 1 KiB";

/// A token of so many characters.
pub fn token(length: usize) -> String {
    "abcdefghijklmnopqrstuvwxyz-._~0123456789".chars().cycle().take(length).collect()
}

/// A layer whose token lives for an hour: each request looks at its expiry.
pub fn fresh(token: String) -> OAuth2Layer<impl tower_oauth2::grant::Grant> {
    let layer = OAuth2Layer::new(async |_: Option<Token>, _: Transport| -> Result<Token, Error> {
        unreachable!("the token is fresh")
    });
    let token = Token::bearer(token).expect("it has no strange characters");
    layer.tokens().set(token.with_expires_in(Duration::from_secs(3600)));
    layer
}

pub fn hot_path() -> Vec<Case> {
    let inner = || service_fn(no_op::<Infallible>);
    let retry = || RetryLayer::new(RetryUnauthorized::new());
    let bound = fresh(token(64)).origin("https://api.example.com").expect("a URL");
    let header = format!("Bearer {}", token(64)).parse().expect("it has no strange characters");
    vec![
        Case::new(NO_LAYER, inner()),
        Case::new(STATIC, AddAuthorizationLayer::bearer(&token(64)).layer(inner())),
        Case::new("static header, 1 KiB", AddAuthorizationLayer::bearer(&token(1024)).layer(inner())),
        Case::new("least layer that waits and sees a 401", Floor { inner: inner(), header }),
        Case::new(LAYER, fresh(token(64)).layer(inner())),
        Case::new(LAYER_KIB, fresh(token(1024)).layer(inner())),
        Case::new("**tower-oauth2**, bound to an origin", bound.layer(inner())),
        Case::new("tower's `Retry` alone, which copies the request", {
            ServiceBuilder::new().layer(retry()).service(inner())
        }),
        Case::new("**tower-oauth2** under `Retry`, sent again after a 401", {
            ServiceBuilder::new().layer(retry()).layer(fresh(token(64))).service(inner())
        }),
    ]
}

/// All that run here, the peers among them.
pub fn all() -> Vec<Case> {
    #[allow(unused_mut, reason = "without the peers there is no more")]
    let mut cases = hot_path();
    #[cfg(feature = "peers")]
    cases.extend(crate::peers::hot_path());
    cases
}
