//! Each refresh has a span, and its token request belongs to it.

use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::util::MapRequest;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::grant::{Context, grant_fn};
use tower_oauth2::{OAuth2Layer, Token};
use tower_test::mock;
use tracing::{Instrument, Level, info_span};

use crate::recorded::Recorded;
use crate::support::{API_URL, Body, TOKEN_URL, answer, get, layer, mock_service, pass, token};

/// The token endpoint and the API, with an event before and after each response.
async fn logging_service(request: Request<Body>) -> Result<http::Response<Body>, std::io::Error> {
    tracing::info!(path = request.uri().path(), "request");
    tokio::task::yield_now().await;
    tracing::info!(path = request.uri().path(), "response");
    let body = if request.uri() == TOKEN_URL { token("a", 3600).to_string() } else { String::new() };
    Ok(answer(200, body))
}

#[tokio::test(start_paused = true)]
async fn a_span_has_the_reason_and_the_outcome() {
    let (recorded, _subscriber) = Recorded::install();
    let (service, mut server) = mock_service(&layer());
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    pass(Duration::from_millis(250)).await;
    respond.send_response(answer(200, token("a", 3600)));
    server.next_authorization().await;
    sent.await.unwrap().unwrap();

    let [span] = recorded.refresh_spans().try_into().unwrap();
    assert_eq!((span.name, span.level), ("oauth2.token", Level::INFO));
    for (name, value) in [
        ("oauth2.grant", "client_credentials"),
        ("oauth2.reason", "missing"),
        ("oauth2.outcome", "ok"),
        ("oauth2.generation", "1"),
        ("oauth2.duration_ms", "250"),
        ("server.address", "auth.example.com"),
    ] {
        assert_eq!(span.field(name), Some(value), "{name}");
    }
    for absent in ["oauth2.name", "server.port", "error.type", "otel.status_code"] {
        assert_eq!(span.field(absent), None);
    }
    assert!(span.is_closed);
    let obtained = recorded.event("token obtained");
    assert_eq!(obtained.level, Level::DEBUG);
    assert_eq!(obtained.within, ["oauth2.token"]);
    assert_eq!(obtained.field("oauth2.generation"), Some("1"));
    // The wall clock is not paused.
    let expires_in = obtained.field("oauth2.expires_in").unwrap().parse::<u64>().unwrap();
    assert!((3590..=3600).contains(&expires_in), "{expires_in}");
}

#[tokio::test(start_paused = true)]
async fn a_span_has_no_parent_and_follows_from_the_request_that_started_the_refresh() {
    let (recorded, _subscriber) = Recorded::install();
    let service = layer().layer(service_fn(logging_service));
    service.oneshot(get(API_URL)).instrument(info_span!("request")).await.unwrap();

    let [span] = recorded.refresh_spans().try_into().unwrap();
    assert_eq!(span.parent, None);
    assert_eq!(span.follows, ["request"]);
    let within = |path: &str| {
        let all = recorded.all();
        let events = all.events.iter().filter(|event| event.field("path") == Some(path));
        events.map(|event| event.within.clone()).collect::<Vec<_>>()
    };
    assert_eq!(within("/token"), [["oauth2.token"]; 2], "at each poll");
    assert_eq!(within("/things"), [["request"]; 2]);
}

/// Spans of the inner service about the token request are children of the span.
#[tokio::test(start_paused = true)]
async fn a_span_is_the_parent_of_the_inner_services_spans() {
    let (recorded, _subscriber) = Recorded::install();
    let inner = service_fn(|request: Request<Body>| logging_service(request).instrument(info_span!("http")));
    layer().layer(inner).oneshot(get(API_URL)).await.unwrap();
    let parents: Vec<_> =
        recorded.all().spans.iter().filter(|span| span.name == "http").map(|span| span.parent).collect();
    assert_eq!(parents, [Some("oauth2.token"), None]);
}

#[test]
fn a_span_is_entered_by_each_caller_that_polls_the_refresh() {
    let (recorded, _subscriber) = Recorded::install();
    let (inner, mut handle) = mock::pair::<Request<Body>, http::Response<Body>>();
    let inner = MapRequest::new(inner, |request: Request<Body>| {
        tracing::info!(path = request.uri().path(), "request");
        request
    });
    let service = layer().layer(inner);
    let (mut one, mut two) = (service.clone(), service);
    info_span!("request").in_scope(|| assert_pending!(task::spawn(one.ready()).poll()));
    drop(one);
    match task::spawn(handle.next_request()).poll() {
        Poll::Ready(Some((_, respond))) => respond.send_response(answer(200, token("a", 3600))),
        _ => panic!("no request"),
    }
    assert_ready_ok!(task::spawn(two.ready()).poll());
    let spans = recorded.all().events.iter().find(|event| event.field("path").is_some()).unwrap().within.clone();
    assert_eq!(spans, ["oauth2.token"]);
    assert_eq!(recorded.event("token obtained").within, ["oauth2.token"]);
    let [span] = recorded.refresh_spans().try_into().unwrap();
    assert!(span.is_closed);
    assert_eq!((span.parent, span.follows), (None, vec!["request"]));
}

/// A custom grant may send several requests to any server.
#[tokio::test(start_paused = true)]
async fn a_span_names_the_server_of_the_first_request() {
    let (recorded, _subscriber) = Recorded::install();
    let grant = grant_fn(async |cx: Context| {
        for uri in ["http://127.0.0.1:8080/login?key=k", "https://auth.example.com/token"] {
            cx.transport().send(Request::get(uri).body(Bytes::new()).unwrap()).await?;
        }
        Token::bearer("a")
    });
    OAuth2Layer::new(grant).layer(service_fn(logging_service)).oneshot(get(API_URL)).await.unwrap();
    let [span] = recorded.refresh_spans().try_into().unwrap();
    assert_eq!((span.field("server.address"), span.field("server.port")), (Some("127.0.0.1"), Some("8080")));
    assert_eq!(span.repeated, [""; 0]);
}
