//! A layer below another one, both of which discover the same server.

use std::time::Duration;

use http::HeaderName;
use tower::{Layer, ServiceExt};
use tower_oauth2::OAuth2Layer;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::Issuer;
use tower_oauth2::grant::ClientCredentials;

use super::site::{ISSUER, OAUTH_DOCUMENT, Site};
use crate::support::{API_URL, get};

/// The metadata request of the outer layer passes through the inner layer, which needs the metadata for its token.
#[tokio::test(start_paused = true)]
async fn the_inner_layer_does_not_wait_for_the_outer_one_which_waits_for_it() {
    let site = Site::new();
    site.status(API_URL, 200);
    let issuer = Issuer::new(ISSUER).unwrap();
    let grant = |id: &str| ClientCredentials::from_issuer(&issuer, Client::basic(id, "secret")).unwrap();
    let gateway = OAuth2Layer::new(grant("gateway")).authorization_header(HeaderName::from_static("x-gateway"));
    let api = OAuth2Layer::new(grant("api")).layer(gateway.layer(site.service()));
    let start = tokio::time::Instant::now();
    assert_eq!(api.oneshot(get(API_URL)).await.unwrap().status(), 200);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    let received = site.received();
    let outer =
        received.iter().find(|request| request.url == OAUTH_DOCUMENT && request.headers.contains_key("x-gateway"));
    assert!(outer.is_some(), "{received:?}");
}
