//! `huskarl`: its authorizer over its cache, and the response shown to it afterwards.

use std::sync::Arc;
use std::time::Duration;

use ::huskarl::authorizer::HttpAuthorizer;
use ::huskarl::cache::{GrantTokenSource, InMemoryRefreshTokenStore, InMemoryTokenCache};
use ::huskarl::core::client_auth::ClientSecret;
use ::huskarl::core::secrets::{ProvidedSecret, SecretString};
use ::huskarl::grant::client_credentials::{ClientCredentialsGrant, ClientCredentialsGrantParameters};
use huskarl_reqwest::ReqwestClient;

use super::{answer, ready, text};
use crate::sources::{Kind, Source};
use crate::{Case, request};

pub(super) const SOURCE: Kind = Kind { name: "`huskarl`", build: source, ahead: 0, herd: true };

fn authorizer(url: &str) -> Arc<HttpAuthorizer> {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let grant = ClientCredentialsGrant::builder()
        .client_id("id")
        .client_auth(ClientSecret::new(ProvidedSecret::new(SecretString::new("secret"))))
        .token_endpoint(url.parse().expect("a URL"))
        .http_client(ReqwestClient::from(http))
        .build();
    let source = GrantTokenSource::builder()
        .grant(grant)
        .grant_parameters(ClientCredentialsGrantParameters::builder().build())
        .refresh_store(InMemoryRefreshTokenStore::default())
        .build();
    // Renewed half-way through the tokens of two seconds that it meets here, while most go on with the old one.
    let cache = InMemoryTokenCache::builder()
        .source(source)
        .expires_margin(Duration::from_millis(100))
        .refresh_ahead(Duration::from_secs(1))
        .build();
    Arc::new(HttpAuthorizer::builder().cache(cache).build())
}

pub(super) async fn hot_path(url: &str) -> Case {
    let authorizer = authorizer(url);
    authorizer.get_headers(&http::Method::GET, request().uri()).await.expect("the server answers");
    ready(SOURCE.name, move |mut request| {
        let authorizer = authorizer.clone();
        async move {
            let headers = authorizer.get_headers(request.method(), request.uri()).await.expect("they are there");
            request.headers_mut().extend(headers);
            let uri = request.uri().clone();
            let response = answer(request).await;
            authorizer.process_response(&uri, response.headers());
            response
        }
    })
}

fn source(url: &str) -> Source {
    let authorizer = authorizer(url);
    Source::new(move || {
        let (authorizer, mut request) = (authorizer.clone(), request());
        async move {
            let headers = authorizer.get_headers(request.method(), request.uri()).await.map_err(text)?;
            request.headers_mut().extend(headers);
            answer(request).await;
            Ok(())
        }
    })
}
