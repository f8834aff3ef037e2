//! APIs that require another scheme or another header.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use tower::{Layer, Service as _, ServiceExt, service_fn};
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{API_URL, Body, answer, get, layer, mock_service, token};

type Configured = OAuth2Layer<ClientCredentials>;

const OWN: HeaderName = HeaderName::from_static("x-api-authorization");

/// Returns the headers of requests through the layer, of a clone, and of `Tokens::authorize`.
async fn sent(layer: &Configured, request: impl Fn() -> http::Request<Body>) -> Vec<http::HeaderMap> {
    layer.tokens().set(Token::bearer("a").unwrap());
    let api = service_fn(async |request: http::Request<Body>| {
        let mut response = answer(200, "");
        *response.headers_mut() = request.headers().clone();
        Ok::<_, std::convert::Infallible>(response)
    });
    let mut service = layer.layer(api);
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(service.ready().await.unwrap().call(request()).await.unwrap().headers().clone());
    }
    all.push(service.clone().oneshot(request()).await.unwrap().headers().clone());
    let mut authorized = request();
    layer.tokens().authorize(&mut authorized).await.unwrap();
    all.push(authorized.headers().clone());
    all
}

async fn all_have(layer: &Configured, request: impl Fn() -> http::Request<Body>, expected: &[(HeaderName, &str)]) {
    for headers in sent(layer, request).await {
        let mut found: Vec<_> = headers.iter().map(|(name, value)| (name.clone(), value.to_str().unwrap())).collect();
        found.sort_by_key(|(name, _)| name.to_string());
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn another_scheme() {
    let other = layer().authorization_scheme("Zoho-oauthtoken").unwrap();
    all_have(&other, || get(API_URL), &[(AUTHORIZATION, "Zoho-oauthtoken a")]).await;
}

#[tokio::test]
async fn another_header() {
    let other = layer().authorization_header(OWN);
    all_have(&other, || get(API_URL), &[(OWN, "Bearer a")]).await;
    let both = other.authorization_scheme("token").unwrap();
    all_have(&both, || get(API_URL), &[(OWN, "token a")]).await;
}

/// A request keeps its own value of the header that the layer sets.
#[tokio::test]
async fn a_header_of_the_caller() {
    let with = |name: HeaderName| {
        move || {
            let mut request = get(API_URL);
            request.headers_mut().insert(name.clone(), HeaderValue::from_static("Basic eDp5"));
            request
        }
    };
    let other = layer().authorization_header(OWN);
    all_have(&other, with(OWN), &[(OWN, "Basic eDp5")]).await;
    all_have(&other, with(AUTHORIZATION), &[(AUTHORIZATION, "Basic eDp5"), (OWN, "Bearer a")]).await;
    all_have(&other.override_authorization(), with(OWN), &[(OWN, "Bearer a")]).await;
}

#[tokio::test]
async fn the_value_is_sensitive() {
    let other = layer().authorization_header(OWN).authorization_scheme("token").unwrap();
    for headers in sent(&other, || get(API_URL)).await {
        assert!(!format!("{headers:?}").contains("token a"));
    }
}

/// The options apply to the current token, and to existing services and handles. Also on the fast path, which a paused clock
/// disables.
#[tokio::test]
async fn a_scheme_that_is_set_on_a_layer_in_use() {
    let layer = layer();
    let (mut service, mut server) = mock_service(&layer);
    layer.tokens().set(Token::bearer("a").unwrap());
    for _ in 0..3 {
        let sent = service.ready().await.unwrap().call(get(API_URL));
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer a"));
        sent.await.unwrap();
    }
    service.ready().await.unwrap();
    let layer = layer.authorization_scheme("token").unwrap();
    let sent = service.call(get(API_URL));
    assert_eq!(server.next_authorization().await.as_deref(), Some("token a"));
    sent.await.unwrap();
    drop(layer);
}

/// A 401 that names only the scheme of the layer is a rejection.
#[tokio::test(start_paused = true)]
async fn a_challenge_of_that_scheme_is_a_rejection() {
    for (scheme, challenge, rejected) in [
        ("token", "token realm=\"x\"", true),
        ("token", "TOKEN", true),
        ("token", "Basic realm=\"x\"", false),
        ("token", "Bearer", true),
        ("Bearer", "token realm=\"x\"", false),
    ] {
        let layer = layer().authorization_scheme(scheme).unwrap();
        let (service, mut server) = mock_service(&layer);
        layer.tokens().set(Token::bearer("a").unwrap());
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (_, respond) = server.next().await;
        let mut response = answer(401, "");
        response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
        respond.send_response(response);
        sent.await.unwrap().unwrap();
        if rejected {
            server.issue_token(token("b", 3600)).await;
        } else {
            server.assert_no_request().await;
        }
    }
}

#[test]
fn an_invalid_scheme_is_an_error() {
    for scheme in ["", " ", "Bearer ", "Bearer token", "tok\nen", "tokén", "a:b", "\"x\"", "a,b", "a=b"] {
        let error: Error = layer().authorization_scheme(scheme).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{scheme:?}");
        assert!(error.to_string().contains("`authorization_scheme`"), "{error}");
    }
    for scheme in ["Bearer", "X-Own_1.0", "!#$%&'*+-.^_`|~"] {
        drop(layer().authorization_scheme(scheme).unwrap());
    }
}
