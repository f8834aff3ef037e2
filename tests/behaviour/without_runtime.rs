//! Without a tokio runtime the token call is driven by whoever waits for it, and stays for the next.

use std::task::Poll;

use http::{Request, Response};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service as _, ServiceExt};
use tower_test::mock;

use crate::support::{API_URL, Body, TOKEN_URL, answer, authorization, get, layer, token};

type Handle = mock::Handle<Request<Body>, Response<Body>>;

/// Answers the request that is there by now.
fn respond(handle: &mut Handle, body: impl ToString) -> Request<Body> {
    match task::spawn(handle.next_request()).poll() {
        Poll::Ready(Some((request, respond))) => {
            respond.send_response(answer(200, body));
            request
        }
        _ => panic!("no request"),
    }
}

#[test]
fn those_who_wait_drive_it() {
    let (inner, mut handle) = mock::pair();
    let (mut one, mut two) = (layer().layer(inner.clone()), None);
    let mut waiting = task::spawn(one.ready());
    assert_pending!(waiting.poll());
    assert_eq!(respond(&mut handle, token("a", 3600)).uri(), TOKEN_URL);
    assert!(waiting.is_woken());
    let ready = assert_ready_ok!(waiting.poll());
    let mut sent = task::spawn(ready.call(get(API_URL)));
    assert_pending!(sent.poll());
    assert_eq!(authorization(&respond(&mut handle, "")), Some("Bearer a"));
    assert_ready_ok!(sent.poll());
    drop(two.replace(inner));
}

#[test]
fn the_next_goes_on_where_the_first_went_away() {
    let (inner, mut handle) = mock::pair();
    let service = layer().layer(inner);
    let (mut one, mut two) = (service.clone(), service);
    assert_pending!(task::spawn(one.ready()).poll());
    drop(one);
    assert_eq!(respond(&mut handle, token("a", 3600)).uri(), TOKEN_URL);
    assert_ready_ok!(task::spawn(two.ready()).poll());
    assert_eq!(two.tokens().peek().unwrap().access_token(), "a");
}

#[test]
fn one_who_is_never_polled_again_stops_nobody() {
    let (inner, mut handle) = mock::pair();
    let service = layer().layer(inner);
    let (mut one, mut two) = (service.clone(), service);
    let mut stalled = task::spawn(one.ready());
    let mut waiting = task::spawn(two.ready());
    assert_pending!(stalled.poll());
    assert_pending!(waiting.poll());
    respond(&mut handle, token("a", 3600));
    assert!(waiting.is_woken());
    assert_ready_ok!(waiting.poll());
}

/// A token call that began in a runtime goes on outside of it when the runtime goes away.
#[test]
fn a_runtime_that_goes_away_leaves_the_call_to_those_who_wait() {
    let (inner, mut handle) = mock::pair();
    let service = layer().layer(inner);
    let (mut one, mut two) = (service.clone(), service);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    {
        let _inside = runtime.enter();
        assert_pending!(task::spawn(one.ready()).poll());
    }
    let mut waiting = task::spawn(two.ready());
    assert_pending!(waiting.poll());
    drop(runtime);
    assert!(waiting.is_woken());
    assert_pending!(waiting.poll());
    assert_eq!(respond(&mut handle, token("a", 3600)).uri(), TOKEN_URL);
    assert_ready_ok!(waiting.poll());
}

/// So does one that waits for an answer, whose deadline that runtime kept.
#[test]
fn a_call_outlives_the_runtime_that_kept_its_deadline() {
    let (inner, mut handle) = mock::pair();
    let service = layer().layer(inner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut one = service.clone();
    runtime.block_on(async {
        let mut waiting = task::spawn(one.ready());
        assert_pending!(waiting.poll());
        tokio::task::yield_now().await;
    });
    drop(runtime);
    let mut two = service;
    let mut waiting = task::spawn(two.ready());
    assert_pending!(waiting.poll());
    assert_eq!(respond(&mut handle, token("a", 3600)).uri(), TOKEN_URL);
    assert_ready_ok!(waiting.poll());
    drop(waiting);
    assert_eq!(two.tokens().peek().unwrap().access_token(), "a");
}
