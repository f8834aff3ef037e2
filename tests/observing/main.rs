//! The spans, events and metrics of a layer. The tests use a mock service, like those in `behaviour`.
#![cfg(all(feature = "metrics", feature = "tracing"))]

#[allow(dead_code, reason = "shared with the tests in `behaviour`, which use all of it")]
#[path = "../behaviour/support.rs"]
mod support;

mod callback_subscriber;
mod events;
mod failures;
mod fast_path;
mod log;
mod log_lines;
mod metric_values;
mod misbehaving_subscribers;
mod names;
mod recorded;
mod secrets;
mod spans;
#[cfg(feature = "tenants")]
mod tenants;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use tower::service_fn;
use tower::util::BoxCloneSyncService;

use self::support::{Body, TokenService, answer, token};

/// A token endpoint that returns these responses in order, and then tokens.
fn endpoint(responses: Vec<Response<Body>>) -> TokenService {
    let responses = Arc::new(Mutex::new(VecDeque::from(responses)));
    BoxCloneSyncService::new(service_fn(move |_: Request<Body>| {
        let next = responses.lock().unwrap().pop_front();
        std::future::ready(Ok(next.unwrap_or_else(|| answer(200, token("a", 3600)))))
    }))
}
