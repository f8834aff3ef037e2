//! What is told of a layer: spans and events to a subscriber, numbers to a recorder. Conversations with a mock, as in
//! `behaviour`.
#![cfg(all(feature = "metrics", feature = "tracing"))]

#[allow(dead_code, reason = "made for the tests of behaviour")]
#[path = "../behaviour/support.rs"]
mod support;

mod events;
mod failures;
mod meddler;
mod names;
mod numbers;
mod quiet;
mod secrets;
mod seen;
mod spans;
mod trouble;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use tower::service_fn;
use tower::util::BoxCloneSyncService;

use self::support::{Body, TokenService, answer, token};

/// A token endpoint that gives these answers, one after the other, and then tokens.
fn endpoint(answers: Vec<Response<Body>>) -> TokenService {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    BoxCloneSyncService::new(service_fn(move |_: Request<Body>| {
        let next = answers.lock().unwrap().pop_front();
        std::future::ready(Ok(next.unwrap_or_else(|| answer(200, token("a", 3600)))))
    }))
}
