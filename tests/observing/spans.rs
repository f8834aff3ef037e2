//! A flight has a span of its own, with the token call inside.

use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::util::MapRequest;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::transport::Transport;
use tower_oauth2::{OAuth2Layer, Token};
use tower_test::mock;
use tracing::{Instrument, Level, info_span};

use crate::seen::Seen;
use crate::support::{API_URL, Body, TOKEN_URL, answer, conversation, get, layer, pass, token};

/// A service for both sides, which says what it does, and takes a while for it.
async fn talkative(request: Request<Body>) -> Result<http::Response<Body>, std::io::Error> {
    tracing::info!(path = request.uri().path(), "asked");
    tokio::task::yield_now().await;
    tracing::info!(path = request.uri().path(), "answers");
    let body = if request.uri() == TOKEN_URL { token("a", 3600).to_string() } else { String::new() };
    Ok(answer(200, body))
}

#[tokio::test(start_paused = true)]
async fn says_what_was_done_and_what_came_of_it() {
    let (seen, _listening) = Seen::listen();
    let (service, mut server) = conversation(&layer());
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (_, respond) = server.token_request().await;
    pass(Duration::from_millis(250)).await;
    respond.send_response(answer(200, token("a", 3600)));
    server.serves().await;
    sent.await.unwrap().unwrap();

    let [span] = seen.flights().try_into().unwrap();
    assert_eq!((span.name, span.level), ("oauth2.token", Level::INFO));
    for (name, value) in [
        ("oauth2.grant", "client_credentials"),
        ("oauth2.reason", "first"),
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
    let obtained = seen.event("token obtained");
    assert_eq!(obtained.level, Level::DEBUG);
    assert_eq!(obtained.within, ["oauth2.token"]);
    assert_eq!(obtained.field("oauth2.generation"), Some("1"));
    // Of the wall clock, which goes on while tokio's stands still.
    let expires_in = obtained.field("oauth2.expires_in").unwrap().parse::<u64>().unwrap();
    assert!((3590..=3600).contains(&expires_in), "{expires_in}");
}

#[tokio::test(start_paused = true)]
async fn is_of_no_request_and_follows_from_the_one_that_began_it() {
    let (seen, _listening) = Seen::listen();
    let service = layer().layer(service_fn(talkative));
    service.oneshot(get(API_URL)).instrument(info_span!("request")).await.unwrap();

    let [span] = seen.flights().try_into().unwrap();
    assert_eq!(span.parent, None);
    assert_eq!(span.follows, ["request"]);
    let within = |path: &str| {
        let all = seen.all();
        let asked = all.events.iter().filter(|event| event.field("path") == Some(path));
        asked.map(|event| event.within.clone()).collect::<Vec<_>>()
    };
    assert_eq!(within("/token"), [["oauth2.token"]; 2], "at each poll");
    assert_eq!(within("/things"), [["request"]; 2]);
}

/// What the service under us makes of a token call is a child of it.
#[tokio::test(start_paused = true)]
async fn is_the_parent_of_the_inner_services_spans() {
    let (seen, _listening) = Seen::listen();
    let inner = service_fn(|request: Request<Body>| talkative(request).instrument(info_span!("http")));
    layer().layer(inner).oneshot(get(API_URL)).await.unwrap();
    let parents: Vec<_> = seen.all().spans.iter().filter(|span| span.name == "http").map(|span| span.parent).collect();
    assert_eq!(parents, [Some("oauth2.token"), None]);
}

#[test]
fn is_there_for_whoever_drives_the_flight() {
    let (seen, _listening) = Seen::listen();
    let (inner, mut handle) = mock::pair::<Request<Body>, http::Response<Body>>();
    let inner = MapRequest::new(inner, |request: Request<Body>| {
        tracing::info!(path = request.uri().path(), "asked");
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
    let asked = seen.all().events.iter().find(|event| event.field("path").is_some()).unwrap().within.clone();
    assert_eq!(asked, ["oauth2.token"]);
    assert_eq!(seen.event("token obtained").within, ["oauth2.token"]);
    let [span] = seen.flights().try_into().unwrap();
    assert!(span.is_closed);
    assert_eq!((span.parent, span.follows), (None, vec!["request"]));
}

/// A grant of the user's own may send what it likes, where it likes.
#[tokio::test(start_paused = true)]
async fn names_where_the_first_request_went() {
    let (seen, _listening) = Seen::listen();
    let grant = async |_: Option<Token>, http: Transport| {
        for uri in ["http://127.0.0.1:8080/login?key=k", "https://auth.example.com/token"] {
            http.send(Request::get(uri).body(Bytes::new()).unwrap()).await?;
        }
        Token::bearer("a")
    };
    OAuth2Layer::new(grant).layer(service_fn(talkative)).oneshot(get(API_URL)).await.unwrap();
    let [span] = seen.flights().try_into().unwrap();
    assert_eq!((span.field("server.address"), span.field("server.port")), (Some("127.0.0.1"), Some("8080")));
    assert_eq!(span.repeated, [""; 0]);
}
