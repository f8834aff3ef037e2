//! `huskarl`: its authorizer with its cache, also with DPoP, its proofs, and its client authentication by JWT. The authorizer also processes
//! each response.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ::huskarl::authorizer::HttpAuthorizer;
use ::huskarl::cache::{GrantTokenSource, InMemoryRefreshTokenStore, InMemoryTokenCache};
use ::huskarl::core::EndpointUrl;
use ::huskarl::core::client_auth::{Audience, AuthenticationContext, ClientAuthentication, ClientSecret, JwtBearer};
use ::huskarl::core::dpop::{AuthorizationServerDPoP, DPoP, NoDPoP, ResourceDPoP, ResourceServerDPoP as _};
use ::huskarl::core::secrets::{ProvidedSecret, SecretString};
use ::huskarl::grant::client_credentials::{ClientCredentialsGrant, ClientCredentialsGrantParameters};
use http::{Method, Request, Response};
use huskarl_crypto_native::asymmetric::signer::{AsymmetricAlgorithm, PrivateKey, pkcs8_pem};
use huskarl_reqwest::ReqwestClient;

use super::{boxed, ready, respond};
use crate::cases::token;
use crate::proofs::nonce_response;
use crate::signing::{AUDIENCE, Algorithm, CLIENT_ID, KEY_ID, expect_ready};
use crate::sources::{Kind, Source};
use crate::{Body, Case, request};

pub(super) const SOURCE: Kind = Kind { name: "`huskarl`", build: source, ahead: 0, herd: true };

fn authorizer(url: &str, dpop: impl AuthorizationServerDPoP + 'static) -> Arc<HttpAuthorizer> {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let grant = ClientCredentialsGrant::builder()
        .client_id("id")
        .client_auth(ClientSecret::new(ProvidedSecret::new(SecretString::new("secret"))))
        .token_endpoint(url.parse().expect("a URL"))
        .dpop(dpop)
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
    case(SOURCE.name, authorizer(url, NoDPoP), respond).await
}

/// Requests with a token that is bound to a key, without and with nonces of the server.
pub(super) async fn bound_requests(url: &str) -> Vec<Case> {
    let authorizer = || authorizer(url, DPoP::builder().signer(private_key(Algorithm::Es256)).build());
    let with_nonce = async |request| {
        respond(request).await;
        nonce_response()
    };
    vec![
        case(SOURCE.name, authorizer(), respond).await,
        case("`huskarl`, the server gives a nonce", authorizer(), with_nonce).await,
    ]
}

/// Sends requests with the headers of an authorizer. `respond` is the inner service.
async fn case<R>(
    name: &str,
    authorizer: Arc<HttpAuthorizer>,
    respond: impl Fn(Request<Body>) -> R + Copy + Send + 'static,
) -> Case
where
    R: Future<Output = Response<Body>>,
{
    authorizer.get_headers(&Method::GET, request().uri()).await.expect("the server responds");
    ready(name, move |mut request| {
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
    let authorizer = authorizer(url, NoDPoP);
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

pub(super) fn proofs(algorithm: Algorithm) -> Case {
    let key = private_key(algorithm);
    let selector = DPoP::builder().signer(key.clone()).build();
    let jkt = expect_ready(selector.get_current_thumbprint()).expect("the key has a thumbprint");
    let dpop = ResourceDPoP::builder().signer(key).build();
    let (uri, token) = (request().uri().clone(), SecretString::new(token(64)));
    Case::repeated(algorithm.case(SOURCE.name), move || {
        black_box(expect_ready(dpop.proof(&Method::GET, &uri, &token, &jkt)).expect("the key signs"));
    })
}

fn private_key(algorithm: Algorithm) -> PrivateKey {
    let algorithm_name = match algorithm {
        Algorithm::Es256 => AsymmetricAlgorithm::Es256,
        Algorithm::EdDsa => AsymmetricAlgorithm::EdDsa,
        Algorithm::Ps256 => AsymmetricAlgorithm::Ps256,
        Algorithm::Rs256 => AsymmetricAlgorithm::Rs256,
    };
    pkcs8_pem(algorithm.pem(), algorithm_name, Some(KEY_ID)).and_then(PrivateKey::from_jwk).expect("a private key")
}

pub(super) fn assertions(algorithm: Algorithm) -> Case {
    let key = private_key(algorithm);
    let client = JwtBearer::builder().signer(key).audience(Audience::Issuer).build();
    let endpoint: EndpointUrl = format!("{AUDIENCE}/token").parse().expect("a URL");
    Case::repeated(algorithm.case(SOURCE.name), move || {
        let context =
            AuthenticationContext::builder().client_id(CLIENT_ID).target_endpoint(&endpoint).issuer(AUDIENCE).build();
        black_box(expect_ready(client.authentication_context(context)).expect("the key signs"));
    })
}
