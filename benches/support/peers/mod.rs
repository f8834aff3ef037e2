//! Other crates that authorize requests. Each is used as its documentation says, in the fastest way that it shows.
//!
//! If a crate leaves a part to its users, such as setting the header or caching the token, that part is written here.

mod gears;
mod google;
mod huskarl;
mod jsonwebtoken;
mod middle;
mod oauth2;
mod yup;

use std::hint::black_box;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower::BoxError;

use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use tokio::runtime::{self, Runtime};

use crate::call_style::CallStyle;
use crate::signing::Algorithm;
use crate::sources::Kind;
use crate::token_server::{EndpointResponse, TokenServer};
use crate::{Body, Case, request};

/// The lifetime of a token that is fetched before the hot path is measured, in seconds.
const AN_HOUR: u64 = 3600;

/// Some of the crates have background tasks.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
});

pub fn hot_path() -> Vec<Case> {
    let server = TokenServer::start(Duration::ZERO, EndpointResponse::Token(AN_HOUR));
    let url = server.url();
    let mut cases = RUNTIME.block_on(async {
        vec![
            middle::hot_path(&url).await,
            oauth2::hot_path(&url).await,
            huskarl::hot_path(&url).await,
            yup::hot_path(&url).await,
        ]
    });
    cases.extend(RUNTIME.block_on(google::hot_path(&url)));
    cases.push(RUNTIME.block_on(gears::hot_path(&url)));
    cases
}

pub fn sources() -> Vec<Kind> {
    LazyLock::force(&RUNTIME);
    vec![gears::SOURCE, google::SOURCE, huskarl::SOURCE, middle::SOURCE, oauth2::SOURCE, yup::SOURCE]
}

pub(crate) fn assertions(algorithm: Algorithm) -> Vec<Case> {
    vec![huskarl::assertions(algorithm), jsonwebtoken::assertions(algorithm)]
}

pub(crate) fn proofs(algorithm: Algorithm) -> Vec<Case> {
    vec![huskarl::proofs(algorithm)]
}

pub(crate) fn bound_requests() -> Vec<Case> {
    let server = TokenServer::start(Duration::ZERO, EndpointResponse::BoundToken(AN_HOUR));
    RUNTIME.block_on(huskarl::bound_requests(&server.url()))
}

/// A case whose requests do not wait for a token. `send` is what a user of the crate would write.
fn ready<F, R>(name: &str, mut send: F) -> Case
where
    F: FnMut(Request<Body>) -> R + Send + 'static,
    R: Future<Output = Response<Body>>,
{
    let one = move || {
        let mut sent = pin!(send(request()));
        match sent.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(response) => drop(black_box(response)),
            Poll::Pending => panic!("the token is there"),
        }
    };
    let mut one = one;
    Case {
        name: name.to_owned(),
        call_style: CallStyle::Service,
        run: Box::new(move |requests| (0..requests).for_each(|_| one())),
    }
}

/// The inner service of a crate without a layer.
async fn respond(request: Request<Body>) -> Response<Body> {
    match crate::no_op::<std::convert::Infallible>(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn insert(headers: &mut HeaderMap, token: &str) {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is ASCII");
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
}

fn boxed(error: impl Into<BoxError>) -> BoxError {
    error.into()
}
