//! A token endpoint that does what it should not: every waiting request gets an error of the right kind, within the
//! deadline.

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

/// A body in chunks: as many as told, then its end, or nothing ever.
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

fn whole(body: &'static str) -> Chunks {
    Chunks { left: 1, chunk: body.as_bytes(), ends: true }
}

/// Two requests that wait for the same answer: what both get, and after how long.
async fn both_get<F>(server: impl Fn() -> F + Clone + Send + 'static) -> (Error, Duration)
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

async fn answered(status: u16, body: Chunks) -> Result<Response<Chunks>, std::io::Error> {
    Ok(Response::builder().status(status).header("location", "https://evil.example/").body(body).unwrap())
}

#[tokio::test(start_paused = true)]
async fn down() {
    let (error, _) = both_get(async || Err(std::io::Error::other("connection refused"))).await;
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.is_transient());
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "connection refused");
}

#[tokio::test(start_paused = true)]
async fn silent_or_hanging_in_the_middle() {
    let (error, took) = both_get(async || std::future::pending().await).await;
    assert_eq!((error.kind(), took), (ErrorKind::Timeout, Duration::from_secs(30)));
    let (error, took) = both_get(|| answered(200, Chunks { left: 3, chunk: b"{", ends: false })).await;
    assert_eq!((error.kind(), took), (ErrorKind::Timeout, Duration::from_secs(30)));
    assert!(error.is_transient());
}

#[tokio::test(start_paused = true)]
async fn redirecting() {
    for status in [301, 302, 303, 307, 308] {
        let (error, _) = both_get(move || answered(status, whole(""))).await;
        assert_eq!(error.kind(), ErrorKind::Redirected);
        assert_eq!(error.status(), StatusCode::from_u16(status).ok());
    }
}

#[tokio::test(start_paused = true)]
async fn out_of_order_with_a_page_for_people() {
    let (error, _) = both_get(|| answered(500, whole("<html><b>Oops</b></html>"))).await;
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Overloaded, true));
    assert!(!error.to_string().contains("Oops"), "the body is not in the error");
}

#[tokio::test(start_paused = true)]
async fn endless() {
    let (error, _) = both_get(|| answered(200, Chunks { left: usize::MAX, chunk: &[b' '; 65_536], ends: true })).await;
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("1048576"), "{error}");
    // As long as is allowed, and not a byte more.
    let (error, _) = both_get(|| answered(400, Chunks { left: 16, chunk: &[b' '; 65_536], ends: true })).await;
    assert_eq!(error.kind(), ErrorKind::RequestRejected);
}

#[tokio::test(start_paused = true)]
async fn saying_what_makes_no_sense() {
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
        let (error, _) = both_get(move || answered(200, whole(body))).await;
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Malformed, false), "{body}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn saying_no() {
    for (status, body, kind) in [
        (401, r#"{"error":"invalid_client","error_description":"who?"}"#, ErrorKind::ClientRejected),
        (400, r#"{"error":"invalid_scope","error_description":"who?"}"#, ErrorKind::RequestRejected),
        (200, r#"{"error":"unauthorized_client","error_description":"who?"}"#, ErrorKind::ClientRejected),
    ] {
        let (error, _) = both_get(move || answered(status, whole(body))).await;
        assert_eq!(error.kind(), kind);
        assert!(!error.is_transient());
        assert_eq!(error.oauth().unwrap().description(), Some("who?"));
        assert_eq!(error.status().unwrap().as_u16(), status);
    }
}
