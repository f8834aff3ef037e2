//! A token endpoint on loopback, in its own thread, with a latency and a counter.

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
    token_requests: Arc<AtomicUsize>,
}

/// The response of the endpoint: a token with a lifetime in seconds, or 503.
#[derive(Clone, Copy)]
pub enum EndpointResponse {
    Token(u64),
    /// The same with a token that is bound to a DPoP key.
    BoundToken(u64),
    Unavailable,
}

impl TokenServer {
    pub fn start(latency: Duration, endpoint_response: EndpointResponse) -> Self {
        let token_requests = Arc::new(AtomicUsize::new(0));
        let counted = token_requests.clone();
        let address = serve(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(latency).await;
                respond(endpoint_response)
            }
        });
        Self { address, token_requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    pub fn token_requests(&self) -> usize {
        self.token_requests.load(Ordering::Relaxed)
    }
}

fn respond(endpoint_response: EndpointResponse) -> Response<Body> {
    let (status, body) = match endpoint_response {
        EndpointResponse::Token(lifetime) => (StatusCode::OK, token_response("Bearer", lifetime)),
        EndpointResponse::BoundToken(lifetime) => (StatusCode::OK, token_response("DPoP", lifetime)),
        EndpointResponse::Unavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, r#"{"error": "temporarily_unavailable"}"#.to_owned())
        }
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(body)).expect("a valid response")
}

fn token_response(token_type: &str, lifetime: u64) -> String {
    let token = cases::token(64);
    format!(r#"{{"access_token": "{token}", "token_type": "{token_type}", "expires_in": {lifetime}}}"#)
}

/// Serves HTTP/1.1 and HTTP/2 until the program exits.
pub fn serve<F, R>(handler: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback is available");
    listener.set_nonblocking(true).expect("a socket can be non-blocking");
    let address = listener.local_addr().expect("the socket is bound");
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
    let listener = TcpListener::from_std(listener).expect("the socket listens");
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
