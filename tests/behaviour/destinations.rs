//! The destinations to which the token is sent.

use http::header::AUTHORIZATION;
use tower::ServiceExt;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{Body, get, grant, layer, mock_service, ours};

/// Sends a request through `layer` with the token `a`, and returns the `Authorization` header that the server receives.
pub(crate) async fn sent_authorization<G>(
    layer: &OAuth2Layer<G>,
    request: http::Request<Body>,
) -> Result<Option<String>, ErrorKind> {
    let (service, mut server) = mock_service(layer);
    service.tokens().set(Token::bearer("a").unwrap());
    let mut sent = tokio_test::task::spawn(service.oneshot(request));
    match sent.poll() {
        std::task::Poll::Ready(denied) => {
            server.assert_no_request().await;
            Err(ours(denied.unwrap_err()).kind())
        }
        std::task::Poll::Pending => Ok(server.next_authorization().await),
    }
}

#[tokio::test]
async fn the_token_is_not_sent_in_cleartext_unless_to_loopback_or_by_option() {
    let sent = Ok(Some("Bearer a".to_owned()));
    assert_eq!(sent_authorization(&layer(), get("https://api.example.com/")).await, sent);
    assert_eq!(sent_authorization(&layer(), get("http://127.0.0.1:8080/")).await, sent);
    assert_eq!(sent_authorization(&layer(), get("/on/a/fixed/channel")).await, sent);
    assert_eq!(sent_authorization(&layer(), get("http://api.example.com/")).await, Err(ErrorKind::Cleartext));
    let cleartext = layer().dangerous_allow_cleartext();
    assert_eq!(sent_authorization(&cleartext, get("http://api.example.com/")).await, sent);
}

#[tokio::test]
async fn the_token_is_sent_only_to_the_origins_that_it_is_bound_to() {
    let bound = || layer().origin("https://API.example.com:443/v1").unwrap().origin("http://127.0.0.1:8080").unwrap();
    let sent = Ok(Some("Bearer a".to_owned()));
    for uri in ["https://api.example.com/v2", "http://127.0.0.1:8080/", "/on/a/fixed/channel"] {
        assert_eq!(sent_authorization(&bound(), get(uri)).await, sent, "{uri}");
    }
    for uri in ["https://evil.example/", "https://api.example.com:8443/", "http://127.0.0.1:8081/"] {
        assert_eq!(sent_authorization(&bound(), get(uri)).await, Ok(None), "{uri}");
        let strict = bound().deny_other_origins();
        assert_eq!(sent_authorization(&strict, get(uri)).await, Err(ErrorKind::OriginDenied), "{uri}");
    }
}

#[tokio::test]
async fn an_existing_authorization_is_kept_unless_overridden() {
    let with_authorization = || {
        let mut request = get("https://api.example.com/");
        request.headers_mut().insert(AUTHORIZATION, "Basic eDp5".parse().unwrap());
        request
    };
    assert_eq!(sent_authorization(&layer(), with_authorization()).await, Ok(Some("Basic eDp5".to_owned())));
    let overriding = layer().override_authorization();
    assert_eq!(sent_authorization(&overriding, with_authorization()).await, Ok(Some("Bearer a".to_owned())));
}

#[tokio::test]
async fn an_existing_authorization_does_not_allow_another_origin() {
    let strict = || layer().origin("https://api.example.com").unwrap().deny_other_origins();
    let with_authorization = |uri| {
        let mut request = get(uri);
        request.headers_mut().insert(AUTHORIZATION, "Basic eDp5".parse().unwrap());
        request
    };
    let kept = Ok(Some("Basic eDp5".to_owned()));
    assert_eq!(
        sent_authorization(&strict(), with_authorization("https://evil.example/")).await,
        Err(ErrorKind::OriginDenied)
    );
    assert_eq!(sent_authorization(&strict(), with_authorization("https://api.example.com/")).await, kept);
    let lenient = layer().origin("https://api.example.com").unwrap();
    assert_eq!(sent_authorization(&lenient, with_authorization("https://evil.example/")).await, kept);

    let tokens = strict().tokens();
    let error = tokens.authorize(&mut with_authorization("https://evil.example/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OriginDenied);
}

#[tokio::test]
async fn the_header_is_marked_sensitive() {
    let (service, mut server) = mock_service(&OAuth2Layer::new(grant()));
    service.tokens().set(Token::bearer("a").unwrap());
    let sent = tokio::spawn(service.oneshot(get("https://api.example.com/")));
    let (request, respond) = server.next().await;
    assert!(request.headers()[AUTHORIZATION].is_sensitive());
    respond.send_response(http::Response::default());
    sent.await.unwrap().unwrap();
}
