//! A token endpoint on loopback, in a thread of its own, that takes its time and counts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::runtime;

use crate::{Body, cases};

pub struct TokenServer {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

/// What the endpoint says: the seconds that a token lives, or that it is out of order.
#[derive(Clone, Copy)]
pub enum Answer {
    Token(u64),
    Unavailable,
}

impl TokenServer {
    pub fn start(latency: Duration, answer: Answer) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let address = serve(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(latency).await;
                respond(answer)
            }
        });
        Self { address, calls }
    }

    pub fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

fn respond(answer: Answer) -> Response<Body> {
    let (status, body) = match answer {
        Answer::Token(lifetime) => {
            let token = cases::token(64);
            let body = format!(r#"{{"access_token": "{token}", "token_type": "Bearer", "expires_in": {lifetime}}}"#);
            (StatusCode::OK, body)
        }
        Answer::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, r#"{"error": "temporarily_unavailable"}"#.to_owned()),
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(body)).expect("its parts are right")
}

/// Serves HTTP/1.1 and HTTP/2 for as long as the program runs.
pub fn serve<F, R>(handler: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    listener.set_nonblocking(true).expect("a socket can be");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(accept(listener, handler));
    });
    address
}

async fn accept<F, R>(listener: std::net::TcpListener, handler: F)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::from_std(listener).expect("it listens");
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let handler = handler.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let response = handler(request);
                async move { Ok::<_, Infallible>(response.await) }
            });
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
