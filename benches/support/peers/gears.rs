//! `cf-gears-toolkit-auth`: a Tower layer, like this crate.

use std::time::Duration;

use toolkit_auth::{BearerAuthLayer, OAuthClientConfig, SecretString, TokenProvider};
use toolkit_http::{HttpClientConfig, HttpError};
use tower::{Layer, ServiceExt, service_fn};

use super::boxed;
use crate::sources::{Kind, Source};
use crate::{Case, no_op, request};

pub(super) const SOURCE: Kind = Kind { name: "`cf-gears-toolkit-auth`", build: source, ahead: 0, herd: true };

fn provider(url: &str) -> TokenProvider {
    TokenProvider::new(OAuthClientConfig {
        token_endpoint: Some(url.parse().expect("a URL")),
        client_id: "id".into(),
        client_secret: SecretString::new("secret"),
        // Half of the lifetime of the tokens here.
        refresh_offset: Duration::from_secs(1),
        jitter_max: Duration::ZERO,
        min_refresh_period: Duration::from_millis(100),
        // Plain HTTP, on loopback.
        http_config: Some(HttpClientConfig::for_testing()),
        ..Default::default()
    })
    .expect("all is there")
}

pub(super) async fn hot_path(url: &str) -> Case {
    let provider = provider(url);
    provider.get().await.expect("the server responds");
    Case::new(SOURCE.name, BearerAuthLayer::new(provider).layer(service_fn(no_op::<HttpError>)))
}

fn source(url: &str) -> Source {
    let service = BearerAuthLayer::new(provider(url)).layer(service_fn(no_op::<HttpError>));
    Source::new(move || {
        let service = service.clone();
        async move { service.oneshot(request()).await.map(drop).map_err(boxed) }
    })
}
