//! `huskarl`: its authorizer with its cache, and its client authentication by JWT. The authorizer also processes each response.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ::huskarl::authorizer::HttpAuthorizer;
use ::huskarl::cache::{GrantTokenSource, InMemoryRefreshTokenStore, InMemoryTokenCache};
use ::huskarl::core::EndpointUrl;
use ::huskarl::core::client_auth::{Audience, AuthenticationContext, ClientAuthentication, ClientSecret, JwtBearer};
use ::huskarl::core::secrets::{ProvidedSecret, SecretString};
use ::huskarl::grant::client_credentials::{ClientCredentialsGrant, ClientCredentialsGrantParameters};
use huskarl_crypto_native::asymmetric::signer::{AsymmetricAlgorithm, PrivateKey, pkcs8_pem};
use huskarl_reqwest::ReqwestClient;

use super::{boxed, ready, respond};
use crate::signing::{AUDIENCE, Algorithm, CLIENT_ID, KEY_ID, expect_ready};
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
    // Refreshes after half of the lifetime of the tokens here, while most requests use the old token.
    let cache = InMemoryTokenCache::builder()
        .source(source)
        .expires_margin(Duration::from_millis(100))
        .refresh_ahead(Duration::from_secs(1))
        .build();
    Arc::new(HttpAuthorizer::builder().cache(cache).build())
}

pub(super) async fn hot_path(url: &str) -> Case {
    let authorizer = authorizer(url);
    authorizer.get_headers(&http::Method::GET, request().uri()).await.expect("the server responds");
    ready(SOURCE.name, move |mut request| {
        let authorizer = authorizer.clone();
        async move {
            let headers = authorizer.get_headers(request.method(), request.uri()).await.expect("they are there");
            request.headers_mut().extend(headers);
            let uri = request.uri().clone();
            let response = respond(request).await;
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
            let headers = authorizer.get_headers(request.method(), request.uri()).await.map_err(boxed)?;
            request.headers_mut().extend(headers);
            respond(request).await;
            Ok(())
        }
    })
}

pub(super) fn assertions(algorithm: Algorithm) -> Case {
    let key = match algorithm {
        Algorithm::Es256 => AsymmetricAlgorithm::Es256,
        Algorithm::EdDsa => AsymmetricAlgorithm::EdDsa,
        Algorithm::Rs256 => AsymmetricAlgorithm::Rs256,
    };
    let key = pkcs8_pem(algorithm.pem(), key, Some(KEY_ID)).and_then(PrivateKey::from_jwk).expect("a private key");
    let client = JwtBearer::builder().signer(key).audience(Audience::Issuer).build();
    let endpoint: EndpointUrl = format!("{AUDIENCE}/token").parse().expect("a URL");
    Case::repeated(algorithm.case(SOURCE.name), move || {
        let context =
            AuthenticationContext::builder().client_id(CLIENT_ID).target_endpoint(&endpoint).issuer(AUDIENCE).build();
        black_box(expect_ready(client.authentication_context(context)).expect("the key signs"));
    })
}
