//! D17–D20, D23, D28: the nonces that an API demands.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::dpop::Dpop;
use tower_oauth2::retry::{RejectionReason, RetryUnauthorized, TokenRejected};
use tower_oauth2::{OAuth2Layer, Token};

use super::{api_demand, bound, bound_token, dpop, in_memory, proof, unauthorized, with_nonce};
use crate::support::{API_URL, Body, Server, answer, get, mock_service};

type Sent = tokio::task::JoinHandle<Result<Response<Body>, BoxError>>;

fn layer(key: Dpop) -> OAuth2Layer<tower_oauth2::grant::ClientCredentials> {
    let layer = OAuth2Layer::new(bound(key));
    layer.tokens().set(Token::dpop("a").unwrap());
    layer
}

/// Sends a request that is repeated, and returns the mock server.
fn send_repeated(
    layer: &OAuth2Layer<tower_oauth2::grant::ClientCredentials>,
    request: Request<Body>,
) -> (Sent, Server) {
    let (service, server) = mock_service(layer);
    let service = RetryLayer::new(RetryUnauthorized::new().buffered(1024)).layer(service);
    (tokio::spawn(service.oneshot(request)), server)
}

/// Answers the next API request, and returns its token and the nonce of its proof.
async fn respond(server: &mut Server, response: Response<Body>) -> (String, Option<Value>) {
    let (request, respond) = server.next().await;
    let token = request.headers()["authorization"].to_str().unwrap().to_owned();
    let nonce = proof(&request).1.get("nonce").cloned();
    respond.send_response(response);
    (token, nonce)
}

fn of(token: &str, nonce: Option<&str>) -> (String, Option<Value>) {
    (format!("DPoP {token}"), nonce.map(Value::from))
}

#[tokio::test(start_paused = true)]
async fn d17_a_demanded_nonce_is_used_at_once_and_the_token_stays() {
    for key in [in_memory(), dpop(1)] {
        let layer = layer(key);
        let (sent, mut server) = send_repeated(&layer, Request::post(API_URL).body("body".into()).unwrap());
        assert_eq!(respond(&mut server, api_demand("n1")).await, of("a", None));
        assert_eq!(respond(&mut server, answer(200, "")).await, of("a", Some("n1")));
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
        assert_eq!(layer.tokens().peek().unwrap().access_token(), "a");
        server.assert_no_request().await;
    }
}

#[tokio::test(start_paused = true)]
async fn d17_the_mark_says_why() {
    for (challenges, expected) in [
        (&[r#"DPoP error="use_dpop_nonce""#][..], Some(RejectionReason::Nonce)),
        (&[r#"dpop Error="use_dpop_nonce", algs="ES256 PS256""#], Some(RejectionReason::Nonce)),
        // RFC 9449 §7.2: an API that accepts both schemes.
        (&[r#"Bearer, DPoP error="use_dpop_nonce""#], Some(RejectionReason::Nonce)),
        (&[r#"Bearer error="invalid_token""#, r#"DPoP error="use_dpop_nonce""#], Some(RejectionReason::Nonce)),
        (&[r#"DPoP error="use_dpop_nonce", DPoP error="use_dpop_nonce""#], None),
        (&[r#"DPoP error="use_dpop_nonce", DPoP error="invalid_dpop_proof""#], None),
        (&[r#"DPoP error="use_dpop_nonce", DPoP error="invalid_token""#], Some(RejectionReason::Token)),
        (&[r#"DPoP error="use_dpop_nonce", DPoP algs="ES256""#], Some(RejectionReason::Token)),
        (&[r#"DPoP error="invalid_dpop_proof""#], None),
        (&[r#"DPoP error="invalid_token""#], Some(RejectionReason::Token)),
        (&[r#"DPoP algs="ES256""#], Some(RejectionReason::Token)),
        // The scheme of the error decides.
        (&[r#"Bearer error="use_dpop_nonce""#], Some(RejectionReason::Token)),
        (&["Bearer"], Some(RejectionReason::Token)),
        (&[], Some(RejectionReason::Token)),
        (&["Basic realm=x"], None),
    ] {
        let layer = layer(in_memory());
        let (service, mut server) = mock_service(&layer);
        let sent = tokio::spawn(service.oneshot(get(API_URL)));
        let mut response = with_nonce(answer(401, ""), "n1");
        for challenge in challenges {
            response.headers_mut().append("www-authenticate", challenge.parse().unwrap());
        }
        respond(&mut server, response).await;
        let response = sent.await.unwrap().unwrap();
        let mark = response.extensions().get::<TokenRejected>();
        assert_eq!(mark.map(TokenRejected::reason), expected, "{challenges:?}");
        let is_kept = layer.tokens().peek().is_some();
        assert_eq!(is_kept, expected != Some(RejectionReason::Token), "{challenges:?}");
    }
}

/// Of another status it says nothing.
#[tokio::test(start_paused = true)]
async fn d17_only_a_401_demands_a_nonce() {
    for status in [200, 400, 403, 500, 503] {
        let layer = layer(in_memory());
        let (sent, mut server) = send_repeated(&layer, get(API_URL));
        let mut response = api_demand("n1");
        *response.status_mut() = status.try_into().unwrap();
        respond(&mut server, response).await;
        let response = sent.await.unwrap().unwrap();
        assert!(response.extensions().get::<TokenRejected>().is_none(), "{status}");
        server.assert_no_request().await;
    }
}

#[tokio::test(start_paused = true)]
async fn d8_d17_without_a_new_nonce_the_response_passes_and_the_token_stays() {
    let challenge = r#"DPoP error="use_dpop_nonce""#;
    for (name, response) in [
        ("the same nonce", api_demand("n0")),
        ("no nonce", unauthorized(challenge)),
        ("two nonces", with_nonce(api_demand("n1"), "n2")),
        ("an empty nonce", api_demand("")),
        ("bad syntax", api_demand("a b")),
        ("too long", api_demand(&"n".repeat(1025))),
    ] {
        let layer = layer(in_memory());
        let (sent, mut server) = send_repeated(&layer, get(API_URL));
        respond(&mut server, with_nonce(answer(200, ""), "n0")).await;
        sent.await.unwrap().unwrap();
        let (sent, mut server) = send_repeated(&layer, get(API_URL));
        assert_eq!(respond(&mut server, response).await, of("a", Some("n0")), "{name}");
        let response = sent.await.unwrap().unwrap();
        assert_eq!(response.status(), 401, "{name}");
        assert!(response.extensions().get::<TokenRejected>().is_none(), "{name}");
        assert_eq!(layer.tokens().peek().unwrap().access_token(), "a", "{name}");
        server.assert_no_request().await;
    }
}

/// An API that demands another nonce each time does not get a third request.
#[tokio::test(start_paused = true)]
async fn d17_a_request_is_repeated_once_for_a_nonce() {
    let layer = layer(in_memory());
    let (sent, mut server) = send_repeated(&layer, get(API_URL));
    for (nonce, expected) in [("n1", None), ("n2", Some("n1"))] {
        assert_eq!(respond(&mut server, api_demand(nonce)).await, of("a", expected));
    }
    let response = sent.await.unwrap().unwrap();
    assert_eq!(response.status(), 401);
    let mark = response.extensions().get::<TokenRejected>().unwrap();
    assert_eq!(mark.reason(), RejectionReason::Nonce);
    server.assert_no_request().await;
}

/// Once for a nonce and once for a token, in either order, is three times in all.
#[tokio::test(start_paused = true)]
async fn a_request_is_sent_at_most_three_times() {
    let invalid = || unauthorized(r#"DPoP error="invalid_token""#);
    let layer = layer(in_memory());
    let (sent, mut server) = send_repeated(&layer, get(API_URL));
    assert_eq!(respond(&mut server, api_demand("n1")).await, of("a", None));
    assert_eq!(respond(&mut server, invalid()).await, of("a", Some("n1")));
    server.issue_token(bound_token("b", 3600)).await;
    assert_eq!(respond(&mut server, api_demand("n2")).await, of("b", Some("n1")));
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    server.assert_no_request().await;

    // The body is recorded, and sent three times.
    let wrap = |body| http_body_util::combinators::UnsyncBoxBody::new(body);
    let (layer, bodies) = (self::layer(in_memory()), Arc::new(Mutex::new(Vec::new())));
    let (seen, tokens) = (bodies.clone(), layer.tokens());
    let service = service_fn(move |request: Request<http_body_util::combinators::UnsyncBoxBody<_, Infallible>>| {
        let (seen, tokens) = (seen.clone(), tokens.clone());
        async move {
            let (head, body) = request.into_parts();
            let nonce = proof(&Request::from_parts(head.clone(), ())).1.get("nonce").cloned();
            let body = http_body_util::BodyExt::collect(body).await?.to_bytes();
            let number = {
                let mut seen = seen.lock().unwrap();
                seen.push((head.headers["authorization"].clone(), nonce, body));
                seen.len()
            };
            Ok::<_, BoxError>(match number {
                1 => {
                    tokens.set(Token::dpop("b").unwrap());
                    unauthorized(r#"DPoP error="invalid_token""#)
                }
                2 => api_demand("n1"),
                _ => api_demand("n2"),
            })
        }
    });
    let layer = layer.token_service(crate::support::token_endpoint(vec![]).0);
    let service = RetryUnauthorized::new().buffered(1024).into_layer(wrap).layer(layer.layer(service));
    let body = http_body_util::combinators::UnsyncBoxBody::new(Body::from("body"));
    let response = service.oneshot(Request::post(API_URL).body(body).unwrap()).await.unwrap();
    assert_eq!(response.status(), 401);
    let seen = bodies.lock().unwrap().clone();
    let body = bytes::Bytes::from("body");
    assert_eq!(
        seen,
        [
            ("DPoP a".parse().unwrap(), None, body.clone()),
            ("DPoP b".parse().unwrap(), None, body.clone()),
            ("DPoP b".parse().unwrap(), Some(json!("n1")), body),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn d18_the_nonce_of_each_response_is_kept() {
    let layer = layer(in_memory());
    let mut expected = None;
    for (nonce, status) in [("n1", 200), ("n2", 500), ("n3", 404), ("n4", 302), ("n5", 403), ("n6", 200)] {
        let (sent, mut server) = send_repeated(&layer, get(API_URL));
        assert_eq!(respond(&mut server, with_nonce(answer(status, ""), nonce)).await, of("a", expected));
        sent.await.unwrap().unwrap();
        expected = Some(nonce);
    }
    // That of a repeated request, too.
    let (sent, mut server) = send_repeated(&layer, get(API_URL));
    assert_eq!(respond(&mut server, api_demand("n7")).await, of("a", Some("n6")));
    assert_eq!(respond(&mut server, with_nonce(answer(200, ""), "n8")).await, of("a", Some("n7")));
    sent.await.unwrap().unwrap();
    let (_sent, mut server) = send_repeated(&layer, get("https://api.example.com/others"));
    assert_eq!(respond(&mut server, answer(200, "")).await, of("a", Some("n8")));
}

#[tokio::test(start_paused = true)]
async fn d6_the_nonce_of_an_api_goes_to_this_api_only() {
    let layer = layer(in_memory());
    let (sent, mut server) = send_repeated(&layer, get(API_URL));
    respond(&mut server, with_nonce(answer(200, ""), "n1")).await;
    sent.await.unwrap().unwrap();
    for uri in ["https://other.example.com/", "https://api.example.com:8443/things"] {
        let (_sent, mut server) = send_repeated(&layer, get(uri));
        assert_eq!(respond(&mut server, answer(200, "")).await, of("a", None), "{uri}");
    }
    // A request that a retry layer changes before it repeats it.
    let (service, mut server) = mock_service(&layer);
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    respond(&mut server, api_demand("n2")).await;
    let response = sent.await.unwrap().unwrap();
    let mut elsewhere = get("https://other.example.com/");
    response.extensions().get::<TokenRejected>().unwrap().prepare_retry(&mut elsewhere);
    let _sent = tokio::spawn(service.oneshot(elsewhere));
    assert_eq!(respond(&mut server, answer(200, "")).await, of("a", None));
}

#[tokio::test(start_paused = true)]
async fn d19_an_invalid_token_is_rejected_and_the_request_repeated_with_a_newer_one() {
    for key in [in_memory(), dpop(1)] {
        let layer = layer(key);
        let (sent, mut server) = send_repeated(&layer, get(API_URL));
        let rejected = with_nonce(unauthorized(r#"DPoP error="invalid_token", algs="ES256""#), "n1");
        assert_eq!(respond(&mut server, rejected).await, of("a", None));
        server.issue_token(bound_token("b", 3600)).await;
        assert_eq!(respond(&mut server, answer(200, "")).await, of("b", Some("n1")));
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn d20_a_rejected_proof_is_neither_a_rejection_nor_repeated() {
    // A predicate of the application is about tokens. It is not asked.
    let layer = layer(in_memory()).reject_when(|status, _| status == 401);
    let (sent, mut server) = send_repeated(&layer, get(API_URL));
    let response = with_nonce(unauthorized(r#"DPoP error="invalid_dpop_proof""#), "n1");
    assert_eq!(respond(&mut server, response).await, of("a", None));
    let response = sent.await.unwrap().unwrap();
    assert_eq!(response.status(), 401);
    assert!(response.extensions().get::<TokenRejected>().is_none());
    assert_eq!(layer.tokens().peek().unwrap().access_token(), "a");
    // The nonce is kept nevertheless.
    let (_sent, mut server) = send_repeated(&layer, get(API_URL));
    assert_eq!(respond(&mut server, answer(200, "")).await, of("a", Some("n1")));
}

#[tokio::test(start_paused = true)]
async fn d23_a_body_that_cannot_be_repeated_is_not_sent_again_and_the_nonce_is_kept() {
    let layer = layer(in_memory());
    let (service, mut server) = mock_service(&layer);
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(service);
    let sent = tokio::spawn(service.clone().oneshot(Request::post(API_URL).body("body".into()).unwrap()));
    respond(&mut server, api_demand("n1")).await;
    assert_eq!(sent.await.unwrap().unwrap().status(), 401);
    let _sent = tokio::spawn(service.oneshot(Request::post(API_URL).body("body".into()).unwrap()));
    assert_eq!(respond(&mut server, answer(200, "")).await, of("a", Some("n1")));
}

/// Each nonce is good for one request. A request that is repeated has the nonce of its own response.
#[tokio::test]
async fn d28_a_hundred_requests_at_once_are_sent_at_most_twice() {
    #[derive(Default)]
    struct Api {
        issued: usize,
        open: HashSet<String>,
        sends: usize,
    }
    let api = Arc::new(Mutex::new(Api::default()));
    let shared = api.clone();
    let service = service_fn(move |request: Request<Body>| {
        let api = shared.clone();
        async move {
            let nonce = proof(&request).1.get("nonce").map(|nonce| nonce.as_str().unwrap().to_owned());
            // All requests of a round arrive before the first response.
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            let mut api = api.lock().unwrap();
            api.sends += 1;
            let is_good = nonce.is_some_and(|nonce| api.open.remove(&nonce));
            let next = format!("n{}", api.issued);
            api.issued += 1;
            api.open.insert(next.clone());
            Ok::<_, Infallible>(if is_good { with_nonce(answer(200, ""), &next) } else { api_demand(&next) })
        }
    });
    for key in [in_memory(), dpop(1)] {
        *api.lock().unwrap() = Api::default();
        let layer = layer(key).token_service(crate::support::token_endpoint(vec![]).0);
        let service = RetryLayer::new(RetryUnauthorized::new()).layer(layer.layer(service.clone()));
        let mut sent = JoinSet::new();
        for _ in 0..100 {
            sent.spawn(service.clone().oneshot(get(API_URL)));
        }
        while let Some(response) = sent.join_next().await {
            assert_eq!(response.unwrap().unwrap().status(), 200);
        }
        assert!(api.lock().unwrap().sends <= 200, "{}", api.lock().unwrap().sends);
    }
}

/// The layer and its handles are gone: the response of a request that is still running is not affected.
#[tokio::test(start_paused = true)]
async fn a_response_after_the_layer_was_dropped_keeps_its_nonce() {
    let key = in_memory();
    let first = layer(key.clone());
    let (service, mut server) = mock_service(&first);
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (_, respond_later) = server.next().await;
    drop(first);
    respond_later.send_response(api_demand("n1"));
    let response = sent.await.unwrap().unwrap();
    assert_eq!(response.extensions().get::<TokenRejected>().unwrap().reason(), RejectionReason::Nonce);
    let second = layer(key);
    let (_sent, mut server) = send_repeated(&second, get(API_URL));
    assert_eq!(respond(&mut server, answer(200, "")).await, of("a", Some("n1")));
}
