//! The hot path: no layer, a static header, and this crate's layer with a fresh token.

use std::time::Duration;

use tower::retry::RetryLayer;
use tower::{Layer, ServiceBuilder, service_fn};
use tower_http::auth::AddAuthorizationLayer;
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::{Case, no_op};

/// What everything is compared with.
pub const NO_OP: &str = "no layer";
pub const STATIC: &str = "`AddAuthorization`, 64 B";
pub const LAYER: &str = "`tower-oauth2`, 64 B";

/// A token of so many characters.
pub fn token(length: usize) -> String {
    "abcdefghijklmnopqrstuvwxyz-._~0123456789".chars().cycle().take(length).collect()
}

/// A layer whose token lives for an hour: its expiry is looked at by each request.
pub fn fresh(token: String) -> OAuth2Layer<impl tower_oauth2::grant::Grant> {
    let layer = OAuth2Layer::new(async |_: Option<Token>, _: Transport| -> Result<Token, Error> {
        unreachable!("the token is fresh")
    });
    let token = Token::bearer(token).unwrap().with_expires_in(Duration::from_secs(3600));
    layer.tokens().set(token);
    layer
}

pub fn hot_path() -> Vec<Case> {
    let retry = || RetryLayer::new(RetryUnauthorized::new());
    vec![
        Case::new(NO_OP, service_fn(no_op)),
        Case::new(STATIC, AddAuthorizationLayer::bearer(&token(64)).layer(service_fn(no_op))),
        Case::new("`AddAuthorization`, 1 KiB", AddAuthorizationLayer::bearer(&token(1024)).layer(service_fn(no_op))),
        Case::new(LAYER, fresh(token(64)).layer(service_fn(no_op))),
        Case::new("`tower-oauth2`, 1 KiB", fresh(token(1024)).layer(service_fn(no_op))),
        Case::new(
            "`tower-oauth2`, bound to an origin",
            fresh(token(64)).origin("https://api.example.com").unwrap().layer(service_fn(no_op)),
        ),
        Case::new("`Retry` alone (copies the request)", {
            ServiceBuilder::new().layer(retry()).service(service_fn(no_op))
        }),
        Case::new("`tower-oauth2` under `Retry`", {
            ServiceBuilder::new().layer(retry()).layer(fresh(token(64))).service(service_fn(no_op))
        }),
    ]
}
