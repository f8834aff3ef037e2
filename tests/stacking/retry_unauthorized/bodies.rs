//! Request bodies: what is recorded, sent, and sent again, frame by frame.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::HeaderMap;
use http_body::{Body as _, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_oauth2::OAuth2Layer;
use tower_oauth2::retry::{RetryUnauthorized, TokenRejected};

use super::*;

type Body = UnsyncBoxBody<Bytes, BoxError>;
type Stack = tower::util::BoxCloneService<Request<Body>, Response<()>, BoxError>;

const API: &str = "https://api.example.com/things";
const LIMIT: usize = 10;

/// A body as an API received it: its first hint, its frames, its trailers.
type Received = (Option<u64>, Vec<Bytes>, Option<HeaderMap>);

/// An API that reads each body whole and rejects the tokens in `bad`.
fn stack(bad: &'static [&'static str], received: Arc<Mutex<Vec<(String, Received)>>>) -> Stack {
    let api = service_fn(move |mut request: Request<Body>| {
        let received = received.clone();
        async move {
            let token = request.headers()["authorization"].to_str()?.replace("Bearer ", "");
            let hint = request.body().size_hint().exact();
            let mut left = hint;
            let (mut frames, mut trailers) = (Vec::new(), None);
            while !request.body().is_end_stream()
                && let Some(frame) = request.body_mut().frame().await
            {
                match frame?.into_data() {
                    Ok(data) => {
                        left = left.map(|left| left - data.len() as u64);
                        frames.push(data);
                    }
                    Err(frame) => trailers = frame.into_trailers().ok(),
                }
            }
            // Clients use the size hint of the remaining body for framing.
            assert_eq!(request.body().size_hint().exact(), left);
            let status = if bad.contains(&token.as_str()) { 401 } else { 200 };
            received.lock().unwrap().push((token, (hint, frames, trailers)));
            Ok::<_, BoxError>(Response::builder().status(status).body(())?)
        }
    });
    over(api)
}

fn over<S>(api: S) -> Stack
where
    S: Service<Request<Body>, Response = Response<()>, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let retry = RetryUnauthorized::new().buffered(LIMIT).into_layer(Body::new);
    let oauth = OAuth2Layer::new(grant()).token_service(tokens());
    Stack::new(ServiceBuilder::new().layer(retry).layer(oauth).service(api))
}

fn request(body: Body) -> Request<Body> {
    Request::post(API).header("x-kept", "1").body(body).unwrap()
}

fn full(text: &'static str) -> Body {
    Body::new(Full::from(text).map_err(|never| match never {}))
}

fn frames(frames: Vec<Result<Frame<Bytes>, BoxError>>) -> Body {
    Body::new(StreamBody::new(futures_util::stream::iter(frames)))
}

fn data(text: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from(text)))
}

/// Sends this body to an API that rejects the first token. Returns the caller's status and the received bodies.
async fn rejected_once(body: Body) -> (u16, Vec<Received>) {
    let received = Arc::default();
    let response = stack(&["t1"], Arc::clone(&received)).oneshot(request(body)).await.unwrap();
    let received = std::mem::take(&mut *received.lock().unwrap());
    let tokens: Vec<_> = received.iter().map(|(token, _)| token.as_str()).collect();
    assert_eq!(tokens, ["t1", "t2"][..received.len()]);
    (response.status().as_u16(), received.into_iter().map(|(_, body)| body).collect())
}

#[tokio::test]
async fn the_same_frames_are_sent_again() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-t", "1".parse().unwrap());
    let bodies: [fn(&HeaderMap) -> Body; 6] = [
        |_| full("hello"),
        |_| full("0123456789"),
        |_| full(""),
        |_| frames(vec![data("ab"), data(""), data("cd")]),
        |_| frames(vec![]),
        |trailers| frames(vec![data("abc"), Ok(Frame::trailers(trailers.clone()))]),
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let plain = body(&trailers);
        let hint = plain.size_hint().exact();
        let plain = plain.collect().await.unwrap();
        let (status, received) = rejected_once(body(&trailers)).await;
        assert_eq!((status, received.len()), (200, 2), "body {number}");
        assert_eq!(received[0], received[1], "body {number}");
        let (received_hint, frames, received_trailers) = &received[0];
        assert_eq!((*received_hint, received_trailers.as_ref()), (hint, plain.trailers()), "body {number}");
        assert_eq!(frames.concat(), plain.to_bytes(), "body {number}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_sent_once_and_whole() {
    for body in
        [full("0123456789a"), frames(vec![data("01234"), data("56789"), data("a")]), frames(vec![data("0123456789a")])]
    {
        let (status, received) = rejected_once(body).await;
        assert_eq!((status, received.len()), (401, 1));
        assert_eq!(received[0].1.concat(), b"0123456789a");
    }
    let (_, received) = rejected_once(frames((0..30).map(|_| data("")).collect())).await;
    assert_eq!(received.len(), 1, "each frame counts");
}

#[tokio::test]
async fn what_is_produced_while_it_is_sent_is_recorded_too() {
    let (sender, body) = channel();
    let sending = async move {
        for text in ["ab", "cd", "ef"] {
            tokio::task::yield_now().await;
            sender.send(Bytes::from(text)).await.unwrap();
        }
    };
    let ((status, received), ()) = tokio::join!(rejected_once(Body::new(body)), sending);
    assert_eq!((status, received.len()), (200, 2));
    for (_, frames, _) in received {
        assert_eq!(frames, ["ab", "cd", "ef"]);
    }
}

/// Trailers end a body without a further poll.
#[tokio::test(start_paused = true)]
async fn trailers_are_the_end() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-t", "1".parse().unwrap());
    let mut steps = vec![Some(Frame::trailers(trailers.clone())), Some(Frame::data(Bytes::from("ab"))), None];
    let body = StreamBody::new(poll_fn(move |cx| match steps.pop() {
        Some(Some(frame)) => Poll::Ready(Some(Ok(frame))),
        // Not ready when the request is made.
        Some(None) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        None => Poll::Pending,
    }));
    let rejected = rejected_once(Body::new(body));
    let (status, received) = tokio::time::timeout(Duration::from_secs(60), rejected).await.unwrap();
    assert_eq!((status, received.len()), (200, 2));
    for (_, frames, received) in received {
        assert_eq!((frames.concat(), received.as_ref()), (b"ab".to_vec(), Some(&trailers)));
    }
}

/// A body in memory is repeated even if the API rejects the request before it reads the body.
#[tokio::test]
async fn an_early_rejection_finds_the_body_recorded() {
    let bodies: [fn() -> Body; 3] = [|| full("abcd"), || frames(vec![data("ab"), data("cd")]), || full("")];
    for body in bodies {
        let received_requests = ReceivedRequests::default();
        let record = received_requests.clone();
        let stack = over(service_fn(move |request: Request<Body>| {
            let record = record.clone();
            async move {
                let (head, body) = request.into_parts();
                let is_rejected = record.tokens().is_empty();
                let read = if is_rejected { None } else { Some(body.collect().await?.to_bytes()) };
                record.add(&head.headers, read);
                Ok::<_, BoxError>(Response::builder().status(if is_rejected { 401 } else { 200 }).body(())?)
            }
        }));
        assert_eq!(stack.oneshot(request(body())).await.unwrap().status(), 200);
        assert_eq!(received_requests.bodies(), [None, Some(body().collect().await.unwrap().to_bytes())]);
    }
}

/// The API rejects the request while its body is being sent: the retry does not wait for the rest, and nothing is repeated.
#[tokio::test]
async fn a_stream_that_goes_on_is_not_repeated() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    let mut stack = over(service_fn(move |mut request: Request<Body>| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            let first = request.body_mut().frame().await.unwrap()?.into_data().unwrap();
            assert_eq!(first, "ab");
            Ok::<_, BoxError>(Response::builder().status(401).body(())?)
        }
    }));
    let (sender, body) = channel();
    sender.send(Bytes::from("ab")).await.unwrap();
    let response = stack.ready().await.unwrap().call(request(Body::new(body))).await.unwrap();
    assert_eq!(response.status(), 401);
    let rejected: &TokenRejected = response.extensions().get().unwrap();
    assert!(rejected.is_retryable());
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_body_that_fails_is_not_repeated() {
    let received = Arc::default();
    let body = frames(vec![data("ab"), Err("the file is gone".into())]);
    let error = stack(&["t1"], Arc::clone(&received)).oneshot(request(body)).await.unwrap_err();
    assert_eq!(error.to_string(), "the file is gone");
    assert_eq!(received.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn only_one_retry_and_only_where_it_can_help() {
    let received: Arc<Mutex<Vec<_>>> = Arc::default();
    let stack = stack(&["t1", "t2"], received.clone());
    let response = stack.clone().oneshot(request(full("ab"))).await.unwrap();
    assert_eq!((response.status().as_u16(), received.lock().unwrap().len()), (401, 2));
    // The layer backs off: the marker says that the request is not retryable.
    let response = stack.oneshot(request(full("ab"))).await.unwrap();
    assert_eq!((response.status().as_u16(), received.lock().unwrap().len()), (401, 3));
    let rejected: &TokenRejected = response.extensions().get().unwrap();
    assert!(!rejected.is_retryable());
}

/// Bytes that count the buffers that are alive.
struct Counted(Arc<AtomicUsize>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        b"1234"
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The API drops everything that it has read and then waits: only the recording is alive then.
async fn recorded_frames(count: usize) -> usize {
    let alive = Arc::new(AtomicUsize::new(0));
    let (sender, body) = channel();
    let mut stack = over(service_fn(async |request: Request<Body>| {
        drop(request.into_body().collect().await?);
        std::future::pending::<Result<Response<()>, BoxError>>().await
    }));
    let response = stack.ready().await.unwrap().call(request(Body::new(body)));
    let waiting = tokio::spawn(response);
    for _ in 0..count {
        alive.fetch_add(1, Ordering::SeqCst);
        sender.send(Bytes::from_owner(Counted(alive.clone()))).await.unwrap();
    }
    drop(sender);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let recorded_frames = alive.load(Ordering::SeqCst);
    waiting.abort();
    waiting.await.unwrap_err();
    assert_eq!(alive.load(Ordering::SeqCst), 0, "nothing is alive after the request");
    recorded_frames
}

#[tokio::test]
async fn no_more_than_the_limit_is_recorded() {
    assert_eq!(recorded_frames(2).await, 2, "8 of 10 bytes");
    assert_eq!(recorded_frames(3).await, 0, "12 bytes exceed the limit, so nothing is recorded");
}

/// Frames after the response are not recorded.
#[tokio::test]
async fn nothing_is_recorded_after_the_response() {
    let bodies: Arc<Mutex<Vec<Body>>> = Arc::default();
    let taken = bodies.clone();
    let mut stack = over(service_fn(move |request: Request<Body>| {
        taken.lock().unwrap().push(request.into_body());
        std::future::ready(Ok::<_, BoxError>(Response::new(())))
    }));
    let (sender, body) = channel();
    stack.ready().await.unwrap().call(request(Body::new(body))).await.unwrap();
    let alive = Arc::new(AtomicUsize::new(1));
    sender.send(Bytes::from_owner(Counted(alive.clone()))).await.unwrap();
    let mut body = bodies.lock().unwrap().pop().unwrap();
    drop(body.frame().await);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

/// A `Buf` that is not `Bytes` is copied once into `Bytes`.
#[tokio::test]
async fn other_buffers_are_copied() {
    type Chunks = http_body_util::combinators::UnsyncBoxBody<std::collections::VecDeque<u8>, Infallible>;
    let recorded: Arc<Mutex<Vec<Bytes>>> = Arc::default();
    let record = recorded.clone();
    let layer = RetryUnauthorized::new().buffered(LIMIT).into_layer(move |body| {
        let body: tower_oauth2::retry::RecordedBody<Chunks> = body;
        let frames = futures_util::FutureExt::now_or_never(body.collect()).unwrap().unwrap();
        record.lock().unwrap().push(frames.to_bytes());
        Chunks::default()
    });
    let api = ServiceBuilder::new()
        .layer(layer)
        .layer(OAuth2Layer::new(grant()).token_service(tokens()))
        .service(service_fn(async |_: Request<Chunks>| Ok::<_, BoxError>(Response::builder().status(401).body(())?)));
    let body = Full::new(std::collections::VecDeque::from(b"abc".to_vec()));
    let request = Request::post(API).body(Chunks::new(body)).unwrap();
    assert_eq!(api.oneshot(request).await.unwrap().status(), 401);
    assert_eq!(*recorded.lock().unwrap(), ["abc", "abc"]);
}

/// As a retry policy it clones bodies within the limit.
#[tokio::test]
async fn as_a_policy_it_copies_bodies_that_are_clone() {
    for (text, tokens_seen) in [("0123456789", 2), ("", 2), ("0123456789a", 1)] {
        let received_requests = ReceivedRequests::default();
        let record = received_requests.clone();
        let api = service_fn(move |request: Request<Full<Bytes>>| {
            let body = futures_util::FutureExt::now_or_never(request.body().clone().collect()).unwrap().unwrap();
            record.add(request.headers(), Some(body.to_bytes()));
            let status = if record.tokens().len() == 1 { 401 } else { 200 };
            std::future::ready(Response::builder().status(status).body(()).map_err(BoxError::from))
        });
        let stack = ServiceBuilder::new()
            .layer(tower::retry::RetryLayer::new(RetryUnauthorized::new().buffered(LIMIT)))
            .layer(OAuth2Layer::new(grant()).token_service(tokens()))
            .service(api);
        stack.oneshot(Request::post(API).body(Full::from(text)).unwrap()).await.unwrap();
        assert_eq!(received_requests.bodies(), vec![Some(Bytes::from(text)); tokens_seen]);
    }
}
