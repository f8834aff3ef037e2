//! `oauth2` requests tokens and does not cache them. Its users put the token and its expiry into a `RwLock`; the task that
//! gets the write lock first refreshes the token.

use std::sync::Arc;
use std::time::{Duration, Instant};
use tower::BoxError;

use ::oauth2::basic::BasicClient;
use ::oauth2::{ClientId, ClientSecret, EndpointNotSet, EndpointSet, TokenResponse, TokenUrl, reqwest};
use tokio::sync::RwLock;

use super::{boxed, insert, ready, respond};
use crate::sources::{Kind, Source};
use crate::{Case, request};

pub(super) const SOURCE: Kind = Kind { name: "`oauth2` and a `RwLock`", build: source, ahead: 0, herd: true };

type Client = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

struct Tokens {
    client: Client,
    http: reqwest::Client,
    cached: RwLock<Option<(String, Instant)>>,
}

impl Tokens {
    fn new(url: &str) -> Arc<Self> {
        let client = BasicClient::new(ClientId::new("id".into()))
            .set_client_secret(ClientSecret::new("secret".into()))
            .set_token_uri(TokenUrl::new(url.into()).expect("a URL"));
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Arc::new(Self { client, http, cached: RwLock::default() })
    }

    async fn get(&self) -> Result<String, BoxError> {
        if let Some((token, end)) = &*self.cached.read().await
            && *end > Instant::now()
        {
            return Ok(token.clone());
        }
        let mut cached = self.cached.write().await;
        if let Some((token, end)) = &*cached
            && *end > Instant::now()
        {
            return Ok(token.clone());
        }
        let response = self.client.exchange_client_credentials().request_async(&self.http).await.map_err(boxed)?;
        let token = response.access_token().secret().clone();
        let lifetime = response.expires_in().unwrap_or(Duration::from_secs(3600));
        *cached = Some((token.clone(), Instant::now() + lifetime));
        Ok(token)
    }
}

pub(super) async fn hot_path(url: &str) -> Case {
    let tokens = Tokens::new(url);
    tokens.get().await.expect("the server responds");
    ready(SOURCE.name, move |mut request| {
        let tokens = tokens.clone();
        async move {
            insert(request.headers_mut(), &tokens.get().await.expect("the token is cached"));
            respond(request).await
        }
    })
}

fn source(url: &str) -> Source {
    let tokens = Tokens::new(url);
    Source::new(move || {
        let (tokens, mut request) = (tokens.clone(), request());
        async move {
            insert(request.headers_mut(), &tokens.get().await?);
            respond(request).await;
            Ok(())
        }
    })
}
