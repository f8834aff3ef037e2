//! Without a tokio runtime, the waiters poll the token request, and later callers continue it.

use std::task::Poll;

use http::{Request, Response};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service as _, ServiceExt};
use tower_test::mock;

use crate::support::{API_URL, Body, TOKEN_URL, answer, authorization, get, layer, token};

type Handle = mock::Handle<Request<Body>, Response<Body>>;

/// Responds to the pending request.
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
fn waiters_poll_the_token_request() {
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
fn the_next_caller_continues_the_token_request_of_a_dropped_one() {
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
fn a_waiter_that_is_never_polled_again_does_not_block_others() {
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

/// A token request that was started in a runtime continues after the runtime has shut down.
#[test]
fn waiters_poll_the_token_request_after_the_runtime_has_shut_down() {
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

/// The same for a token request whose timeout was a timer of that runtime.
#[test]
fn a_token_request_continues_after_the_runtime_of_its_timer_has_shut_down() {
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
