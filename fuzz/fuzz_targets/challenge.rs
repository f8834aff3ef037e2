//! Any answer of an API passes through the layer as it is, and `WWW-Authenticate` decides only whether the token is in doubt.

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
use tower_oauth2::{OAuth2Layer, Token};
use tower_oauth2_fuzz::{API_URL, Answer, Ending, Request, TOKEN_URL, in_virtual_time};

fuzz_target!(|input: &[u8]| {
    let mut answer = Answer::read(input);
    if answer.ending == Ending::Silent {
        answer.ending = Ending::Whole;
    }
    in_virtual_time(Duration::from_secs(1), async {
        let in_doubt = leaves_in_doubt(&answer).await;
        if answer.ending == Ending::Fails {
            assert!(!in_doubt);
        } else if answer.headers.get("grpc-status").is_some_and(|status| status == "16") {
            assert!(in_doubt);
        } else if answer.status != StatusCode::UNAUTHORIZED {
            assert!(!in_doubt);
        } else {
            is_judged_by_its_challenges(&answer, in_doubt).await;
        }
    });
});

/// Sends a request through a layer with a token: whether it is not used again.
async fn leaves_in_doubt(answer: &Answer) -> bool {
    let grant = ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap();
    let layer = OAuth2Layer::new(grant);
    layer.tokens().set(Token::bearer("a").unwrap());
    let sent = answer.clone();
    let api = layer.layer(service_fn(move |request: Request| {
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer a");
        sent.clone().sent()
    }));
    let outcome = api.oneshot(http::Request::get(API_URL).body(Full::default()).unwrap()).await;
    match outcome {
        Ok(response) => {
            assert_eq!((response.status(), response.headers()), (answer.status, &answer.headers));
            if answer.is_whole() {
                assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), answer.body);
            }
        }
        Err(error) => {
            assert_eq!(answer.ending, Ending::Fails);
            assert_eq!(error.downcast::<io::Error>().unwrap().kind(), io::ErrorKind::ConnectionRefused);
        }
    }
    layer.tokens().peek().is_none()
}

/// No second reader of challenges: what must hold whatever they are.
async fn is_judged_by_its_challenges(answer: &Answer, in_doubt: bool) {
    let judged = async |challenges: Vec<HeaderValue>| {
        let mut headers = HeaderMap::new();
        for challenge in challenges {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
        leaves_in_doubt(&Answer { headers, ..answer.clone() }).await
    };
    let challenges: Vec<HeaderValue> = answer.headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect();
    assert_eq!(judged(challenges.clone()).await, in_doubt, "another header counts");
    let text = join(&challenges);

    // One that asks for our scheme is heard at any place. Where it drowns, nothing is clear.
    let ours = ["Bearer", "bearer error=invalid_token", "DPoP algs=\"ES256\""].map(HeaderValue::from_static);
    for ours in ours {
        let alone = std::slice::from_ref(&ours);
        assert!(judged([&challenges[..], alone].concat()).await);
        assert!(judged([alone, &challenges[..]].concat()).await);
        assert!(judged(vec![join(&[ours.clone(), text.clone()])]).await);
        assert!(judged(vec![join(&[text.clone(), ours])]).await);
    }
    // The words of a quoted string are no scheme, whatever they are.
    assert!(!judged(vec![quoted(&text)]).await);

    if !in_doubt {
        assert!(challenges.iter().all(|challenge| challenge.to_str().is_ok()), "what is unreadable is not clear");
        assert!(!text.is_empty(), "no word at all is not clear");
        // Several headers are one list (RFC 9110 §5.3), and schemes have no case (§11.1).
        assert!(!judged(vec![text.clone()]).await);
        let shouted = HeaderValue::from_bytes(&text.as_bytes().to_ascii_uppercase()).unwrap();
        assert!(!judged(vec![shouted]).await);
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
