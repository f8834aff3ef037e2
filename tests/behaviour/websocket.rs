//! `wss` is treated as `https` and `ws` as `http`: in origins, in requests through the layer, and in `Tokens::authorize`.

use http::header::AUTHORIZATION;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::destinations::sent_authorization;
use crate::support::{get, grant, layer};

const SENT: Result<bool, ErrorKind> = Ok(true);
const WITHOUT: Result<bool, ErrorKind> = Ok(false);
const CLEARTEXT: Result<bool, ErrorKind> = Err(ErrorKind::Cleartext);

/// Checks a request through the layer, and `Tokens::authorize`.
async fn check<G>(layer: &OAuth2Layer<G>, uri: &str, expected: Result<bool, ErrorKind>) {
    let arrived = sent_authorization(layer, get(uri)).await;
    assert_eq!(arrived.map(|header| header.as_deref() == Some("Bearer a")), expected, "{uri} through the layer");

    let tokens = layer.tokens();
    tokens.set(Token::bearer("a").unwrap());
    let mut request = get(uri);
    let attached = tokens.authorize(&mut request).await.map_err(|error| error.kind());
    assert_eq!(attached, expected, "{uri} by `authorize`");
    assert_eq!(request.headers().contains_key(AUTHORIZATION), attached == Ok(true), "{uri} by `authorize`");
}

#[tokio::test]
async fn a_token_that_is_not_bound_goes_over_tls_and_to_loopback() {
    for (uri, expected) in [
        ("wss://api.example.com/events", SENT),
        ("WSS://api.example.com/events", SENT),
        ("ws://127.0.0.1:8080/", SENT),
        ("ws://[::1]:8080/", SENT),
        ("ws://localhost/", SENT),
        ("ws://api.example.com/events", CLEARTEXT),
        ("ws://10.0.0.1/", CLEARTEXT),
    ] {
        check(&layer(), uri, expected).await;
        let allowing = layer().dangerous_allow_cleartext();
        check(&allowing, uri, SENT).await;
    }
}

#[tokio::test]
async fn an_origin_is_the_same_under_both_schemes() {
    for origin in ["https://api.example.com", "wss://api.example.com", "wss://API.example.com:443/events"] {
        for (uri, expected) in [
            ("https://api.example.com/", SENT),
            ("wss://api.example.com/", SENT),
            ("wss://api.example.com:443/", SENT),
            ("https://API.example.com/", SENT),
            ("wss://api.example.com:8443/", WITHOUT),
            ("ws://api.example.com/", WITHOUT),
            ("ws://api.example.com:443/", WITHOUT),
            ("wss://evil.example/", WITHOUT),
        ] {
            check(&layer().origin(origin).unwrap(), uri, expected).await;
            let denied = if expected == WITHOUT { Err(ErrorKind::OriginDenied) } else { expected };
            check(&layer().origin(origin).unwrap().deny_other_origins(), uri, denied).await;
        }
    }
    for origin in ["http://127.0.0.1", "ws://127.0.0.1:80"] {
        for (uri, expected) in
            [("ws://127.0.0.1/", SENT), ("http://127.0.0.1:80/", SENT), ("wss://127.0.0.1:80/", WITHOUT)]
        {
            check(&layer().origin(origin).unwrap(), uri, expected).await;
        }
    }
}

#[test]
fn a_token_endpoint_is_an_http_address() {
    for url in ["wss://auth.example.com/token", "ws://127.0.0.1/token"] {
        let error = TokenEndpoint::new(url, Client::public("id")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
        let error = TokenEndpoint::dangerous_cleartext(url, Client::public("id")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
    }
    assert_eq!(OAuth2Layer::new(grant()).origin("ftp://api.example.com").unwrap_err().kind(), ErrorKind::Configuration);
}
