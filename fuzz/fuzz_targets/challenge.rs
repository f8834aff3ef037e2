//! The layer returns any response of an API unchanged, and `WWW-Authenticate` decides only whether it rejects the token. `Challenge`
//! parses any such header.

#![no_main]

use std::io;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{Challenge, OAuth2Layer, Token};
use tower_oauth2_fuzz::{API_URL, Ending, Request, ServerResponse, TOKEN_URL, in_virtual_time};

/// The maximum length of a header, in bytes.
const MAX_HEADER: usize = 16 * 1024;

fuzz_target!(|input: &[u8]| {
    let mut api_response = ServerResponse::parse(input);
    if api_response.ending == Ending::Silent {
        api_response.ending = Ending::Complete;
    }
    check_parser(&api_response.headers);
    in_virtual_time(Duration::from_secs(1), async {
        let is_rejected = rejects_token(&api_response).await;
        if api_response.ending == Ending::Fails {
            assert!(!is_rejected);
        } else if api_response.headers.get("grpc-status").is_some_and(|status| status == "16") {
            assert!(is_rejected);
        } else if api_response.status != StatusCode::UNAUTHORIZED {
            assert!(!is_rejected);
        } else {
            check_challenges(&api_response, is_rejected).await;
        }
    });
});

/// Sends a request through a layer with a token, and returns whether the response rejects the token.
async fn rejects_token(api_response: &ServerResponse) -> bool {
    let grant = ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap();
    let layer = OAuth2Layer::new(grant);
    layer.tokens().set(Token::bearer("a").unwrap());
    let sent = api_response.clone();
    let api = layer.layer(service_fn(move |request: Request| {
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer a");
        sent.clone().deliver()
    }));
    let outcome = api.oneshot(http::Request::get(API_URL).body(Full::default()).unwrap()).await;
    match outcome {
        Ok(response) => {
            assert_eq!((response.status(), response.headers()), (api_response.status, &api_response.headers));
            if api_response.is_complete() {
                assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), api_response.body);
            }
        }
        Err(error) => {
            assert_eq!(api_response.ending, Ending::Fails);
            assert_eq!(error.downcast::<io::Error>().unwrap().kind(), io::ErrorKind::ConnectionRefused);
        }
    }
    layer.tokens().peek().is_none()
}

/// Checks that the parsed challenges are part of the headers and bounded.
fn check_parser(headers: &HeaderMap) {
    let read = Challenge::parse(headers);
    assert_eq!(read, Challenge::parse(headers));
    let length: usize = headers.get_all(WWW_AUTHENTICATE).iter().map(HeaderValue::len).sum();
    assert!(read.len() <= 32 && read.iter().map(|found| found.scheme().len()).sum::<usize>() <= length);
    for found in &read {
        assert!(!found.scheme().is_empty() && found.scheme().is_ascii());
        for (name, value) in
            [("ERROR", found.error()), ("Scope", found.scope()), ("resource_METADATA", found.resource_metadata())]
        {
            assert_eq!(found.param(name), value);
            // A byte of a header is at most two bytes of UTF-8.
            assert!(value.is_none_or(|value| value.len() <= 2 * length));
        }
    }
    // A challenge that is added is parsed regardless of the previous headers, because each header is parsed separately.
    let mut headers = headers.clone();
    headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error='e', scope=\"a \\\"b\", x"));
    let more = Challenge::parse(&headers);
    assert_eq!(more[..read.len()], read);
    if read.len() < 31 {
        assert_eq!((more.len(), more[read.len()].scheme()), (read.len() + 2, "Bearer"));
        assert_eq!((more[read.len()].error(), more[read.len()].scope()), (Some("e"), Some("a \"b")));
    }
}

/// Checks properties that do not need another parser of challenges.
async fn check_challenges(api_response: &ServerResponse, is_rejected: bool) {
    let rejects = async |challenges: Vec<HeaderValue>| {
        let mut headers = HeaderMap::new();
        for challenge in challenges {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
        rejects_token(&ServerResponse { headers, ..api_response.clone() }).await
    };
    // The result of `Challenge` is consistent with the decision.
    let read = Challenge::parse(&api_response.headers);
    let is_ours = |scheme: &str| scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("dpop");
    if read.is_empty() || read.iter().any(|found| is_ours(found.scheme()) || found.error() == Some("invalid_token")) {
        assert!(is_rejected);
    }
    let challenges: Vec<HeaderValue> = api_response.headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect();
    assert_eq!(rejects(challenges.clone()).await, is_rejected, "another header has an effect");
    let text = join(&challenges);

    // A challenge for a scheme of this crate rejects the token at any position.
    let ours = ["Bearer", "bearer error=invalid_token", "DPoP algs=\"ES256\""].map(HeaderValue::from_static);
    for ours in ours {
        let alone = std::slice::from_ref(&ours);
        assert!(rejects([&challenges[..], alone].concat()).await);
        assert!(rejects([alone, &challenges[..]].concat()).await);
        assert!(rejects(vec![join(&[ours.clone(), text.clone()])]).await);
        assert!(rejects(vec![join(&[text.clone(), ours])]).await);
    }
    // The content of a quoted string is never parsed as a scheme. A header that is too long is not parsed.
    let quoted = quoted(&text);
    assert_eq!(rejects(vec![quoted.clone()]).await, quoted.len() > MAX_HEADER);

    if !is_rejected {
        assert!(
            challenges.iter().all(|challenge| challenge.to_str().is_ok()),
            "a header that cannot be parsed rejects the token"
        );
        assert!(!text.is_empty(), "a missing header rejects the token");
        // Several headers are one list (RFC 9110 §5.3), and schemes are case-insensitive (§11.1).
        assert!(!rejects(vec![text.clone()]).await);
        let upper_case = HeaderValue::from_bytes(&text.as_bytes().to_ascii_uppercase()).unwrap();
        assert!(!rejects(vec![upper_case]).await);
    }
}

fn join(challenges: &[HeaderValue]) -> HeaderValue {
    let challenges: Vec<&[u8]> = challenges.iter().map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&challenges.join(&b", "[..])).unwrap()
}

fn quoted(text: &HeaderValue) -> HeaderValue {
    let mut realm = String::new();
    for byte in text.as_bytes().iter().filter(|byte| byte.is_ascii()) {
        if matches!(byte, b'"' | b'\\') {
            realm.push('\\');
        }
        realm.push(char::from(*byte));
    }
    HeaderValue::from_str(&format!("Basic realm=\"{realm}\", x=y")).unwrap()
}
