//! Where requests get their token from: this crate's layer, in front of a token endpoint on loopback.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::OAuth2Layer;
use tower_oauth2::client::Client as OAuthClient;
use tower_oauth2::grant::ClientCredentials;

use crate::{Body, no_op, request};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Requests that need a token, from one cache that is empty at first.
#[derive(Clone)]
pub struct Source {
    send: Arc<dyn Fn() -> Boxed<Result<(), String>> + Send + Sync>,
}

impl Source {
    pub fn new<F, R>(send: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { send: Arc::new(move || Box::pin(send())) }
    }

    pub async fn send(&self) -> Result<(), String> {
        (self.send)().await
    }
}

/// One way to get tokens, to be built anew for each measurement, inside a runtime.
pub struct Kind {
    pub name: &'static str,
    pub build: fn(token_url: &str) -> Source,
    /// How long before its expiry a token counts as ended or is renewed, in seconds, where that cannot be changed.
    pub ahead: u64,
    /// Whether requests can meet it without a token.
    pub herd: bool,
}

pub const LAYER: Kind = Kind { name: "**tower-oauth2**", build: layer, ahead: 0, herd: true };

/// All that run here, the peers among them.
pub fn all() -> Vec<Kind> {
    #[allow(unused_mut, reason = "without the peers there is no more")]
    let mut kinds = vec![LAYER];
    #[cfg(feature = "peers")]
    kinds.extend(crate::peers::sources());
    kinds
}

fn layer(token_url: &str) -> Source {
    let http = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let grant = ClientCredentials::new(token_url, OAuthClient::basic("id", "secret")).expect("a URL");
    let service = OAuth2Layer::new(grant).token_service(http).layer(service_fn(no_op::<Infallible>));
    Source::new(move || {
        let service = service.clone();
        async move { service.oneshot(request()).await.map(drop).map_err(|error| error.to_string()) }
    })
}
