//! Where a token may go.

use http::header::AUTHORIZATION;
use tower::ServiceExt;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{Body, conversation, get, grant, layer, ours};

/// What a request arrives with, sent through `layer` with the token `a`.
async fn arrives_with<G>(layer: &OAuth2Layer<G>, request: http::Request<Body>) -> Result<Option<String>, ErrorKind> {
    let (service, mut server) = conversation(layer);
    service.tokens().set(Token::bearer("a").unwrap());
    let mut sent = tokio_test::task::spawn(service.oneshot(request));
    match sent.poll() {
        std::task::Poll::Ready(refused) => {
            server.hears_nothing().await;
            Err(ours(refused.unwrap_err()).kind())
        }
        std::task::Poll::Pending => Ok(server.serves().await),
    }
}

#[tokio::test]
async fn not_over_cleartext_unless_to_this_machine_or_by_choice() {
    let sent = Ok(Some("Bearer a".to_owned()));
    assert_eq!(arrives_with(&layer(), get("https://api.example.com/")).await, sent);
    assert_eq!(arrives_with(&layer(), get("http://127.0.0.1:8080/")).await, sent);
    assert_eq!(arrives_with(&layer(), get("/on/a/fixed/channel")).await, sent);
    assert_eq!(arrives_with(&layer(), get("http://api.example.com/")).await, Err(ErrorKind::Cleartext));
    let daring = layer().dangerous_allow_cleartext();
    assert_eq!(arrives_with(&daring, get("http://api.example.com/")).await, sent);
}

#[tokio::test]
async fn only_to_the_origins_it_is_bound_to() {
    let bound = || layer().origin("https://API.example.com:443/v1").unwrap().origin("http://127.0.0.1:8080").unwrap();
    let sent = Ok(Some("Bearer a".to_owned()));
    for uri in ["https://api.example.com/v2", "http://127.0.0.1:8080/", "/on/a/fixed/channel"] {
        assert_eq!(arrives_with(&bound(), get(uri)).await, sent, "{uri}");
    }
    for uri in ["https://evil.example/", "https://api.example.com:8443/", "http://127.0.0.1:8081/"] {
        assert_eq!(arrives_with(&bound(), get(uri)).await, Ok(None), "{uri}");
        let strict = bound().refuse_foreign_origins();
        assert_eq!(arrives_with(&strict, get(uri)).await, Err(ErrorKind::ForeignOrigin), "{uri}");
    }
}

#[tokio::test]
async fn not_in_place_of_an_authorization_that_is_there_unless_by_choice() {
    let with_its_own = || {
        let mut request = get("https://api.example.com/");
        request.headers_mut().insert(AUTHORIZATION, "Basic eDp5".parse().unwrap());
        request
    };
    assert_eq!(arrives_with(&layer(), with_its_own()).await, Ok(Some("Basic eDp5".to_owned())));
    let overriding = layer().override_authorization();
    assert_eq!(arrives_with(&overriding, with_its_own()).await, Ok(Some("Bearer a".to_owned())));
}

#[tokio::test]
async fn the_header_is_marked_sensitive() {
    let (service, mut server) = conversation(&OAuth2Layer::new(grant()));
    service.tokens().set(Token::bearer("a").unwrap());
    let sent = tokio::spawn(service.oneshot(get("https://api.example.com/")));
    let (request, respond) = server.next().await;
    assert!(request.headers()[AUTHORIZATION].is_sensitive());
    respond.send_response(http::Response::default());
    sent.await.unwrap().unwrap();
}
