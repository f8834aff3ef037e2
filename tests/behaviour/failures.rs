//! A token endpoint that fails: every waiting request gets an error of the right kind within the timeout.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::{Error, ErrorKind};

use crate::support::{API_URL, Body, get, layer, ours};

/// A body of `left` chunks. After them it ends, or stays pending forever.
struct Chunks {
    left: usize,
    chunk: &'static [u8],
    ends: bool,
}

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.chunk)))))
            }
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

fn complete(body: &'static str) -> Chunks {
    Chunks { left: 1, chunk: body.as_bytes(), ends: true }
}

/// Sends two requests that wait for the same response. Returns the error of both, and the elapsed time.
async fn error_of_both<F>(server: impl Fn() -> F + Clone + Send + 'static) -> (Error, Duration)
where
    F: Future<Output = Result<Response<Chunks>, std::io::Error>> + Send + 'static,
{
    let inner = service_fn(move |_: Request<Body>| server());
    let service = layer().layer(inner);
    let start = tokio::time::Instant::now();
    let (one, two) = tokio::join!(service.clone().oneshot(get(API_URL)), service.oneshot(get(API_URL)));
    let kinds = |result: Result<Response<Chunks>, tower::BoxError>| ours(result.err().expect("an error"));
    let (one, two) = (kinds(one), kinds(two));
    assert_eq!(one.kind(), two.kind());
    (one, start.elapsed())
}

async fn respond(status: u16, body: Chunks) -> Result<Response<Chunks>, std::io::Error> {
    Ok(Response::builder().status(status).header("location", "https://evil.example/").body(body).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down() {
    let (error, _) = error_of_both(async || Err(std::io::Error::other("connection refused"))).await;
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.is_transient());
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "connection refused");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_nothing_or_stalls_within_the_body() {
    let (error, took) = error_of_both(async || std::future::pending().await).await;
    assert_eq!((error.kind(), took), (ErrorKind::Timeout, Duration::from_secs(30)));
    let (error, took) = error_of_both(|| respond(200, Chunks { left: 3, chunk: b"{", ends: false })).await;
    assert_eq!((error.kind(), took), (ErrorKind::Timeout, Duration::from_secs(30)));
    assert!(error.is_transient());
}

#[tokio::test(start_paused = true)]
async fn a_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let (error, _) = error_of_both(move || respond(status, complete(""))).await;
        assert_eq!(error.kind(), ErrorKind::Redirected);
        assert_eq!(error.status(), StatusCode::from_u16(status).ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_error_with_an_html_page() {
    let (error, _) = error_of_both(|| respond(500, complete("<html><b>Oops</b></html>"))).await;
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Overloaded, true));
    assert!(!error.to_string().contains("Oops"), "the body is not in the error");
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_too_large() {
    let (error, _) =
        error_of_both(|| respond(200, Chunks { left: usize::MAX, chunk: &[b' '; 65_536], ends: true })).await;
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("1048576"), "{error}");
    // Exactly the maximum size.
    let (error, _) = error_of_both(|| respond(400, Chunks { left: 16, chunk: &[b' '; 65_536], ends: true })).await;
    assert_eq!(error.kind(), ErrorKind::NotOAuth);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_cannot_be_used() {
    for body in [
        "",
        r#"{"access_token":"a""#,
        r#"["access_token"]"#,
        "<html>Sign in to the Wi-Fi</html>",
        r#"{"access_token":{"value":"a"}}"#,
        r#"{"access_token":"a b"}"#,
        r#"{"access_token":"a","token_type":"mac"}"#,
        r#"{"access_token":"a","expires_in":"soon"}"#,
    ] {
        let (error, _) = error_of_both(move || respond(200, complete(body))).await;
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Malformed, false), "{body}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_oauth_error() {
    for (status, body, kind) in [
        (401, r#"{"error":"invalid_client","error_description":"who?"}"#, ErrorKind::ClientRejected),
        (400, r#"{"error":"invalid_scope","error_description":"who?"}"#, ErrorKind::RequestRejected),
        (200, r#"{"error":"unauthorized_client","error_description":"who?"}"#, ErrorKind::ClientRejected),
    ] {
        let (error, _) = error_of_both(move || respond(status, complete(body))).await;
        assert_eq!(error.kind(), kind);
        assert!(!error.is_transient());
        assert_eq!(error.oauth().unwrap().description(), Some("who?"));
        assert_eq!(error.status().unwrap().as_u16(), status);
    }
}
