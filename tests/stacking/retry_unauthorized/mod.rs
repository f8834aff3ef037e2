//! `RetryUnauthorized` over clients whose request bodies can only be read once: tonic and reqwest.

mod bodies;
mod grpc;
mod grpc_proofs;
#[path = "../../../examples/support/listener.rs"]
#[allow(dead_code, reason = "the examples use all of it")]
mod listener;
#[path = "../../../examples/chaos/login_key.rs"]
mod login_key;
#[path = "../../../examples/chaos/proof_check.rs"]
#[allow(dead_code, reason = "the example uses all of it")]
mod proof_check;
mod reqwest;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream::poll_fn;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tokio::sync::mpsc;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, service_fn};
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;

const TOKEN_URL: &str = "https://auth.example.com/token";

/// The limit of a recording.
const MAX_BYTES: usize = 256 * 1024;

fn grant() -> ClientCredentials {
    ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap()
}

/// A token service that counts its tokens: `t1`, `t2`, …
fn tokens() -> BoxCloneSyncService<Request<Full<Bytes>>, Response<Full<Bytes>>, BoxError> {
    let count = Arc::new(Mutex::new(0));
    BoxCloneSyncService::new(service_fn(move |request: Request<Full<Bytes>>| {
        assert_eq!(request.uri(), TOKEN_URL);
        let mut count = count.lock().unwrap();
        *count += 1;
        let token = format!(r#"{{"access_token": "t{count}", "expires_in": 3600}}"#);
        std::future::ready(Ok(Response::new(Full::from(token))))
    }))
}

/// A streamed request body.
fn channel() -> (mpsc::Sender<Bytes>, impl http_body::Body<Data = Bytes, Error = BoxError> + Send + Sync + 'static) {
    let (sender, mut receiver) = mpsc::channel(8);
    let frames = poll_fn(move |cx| receiver.poll_recv(cx).map(|data| data.map(|data| Ok(Frame::data(data)))));
    (sender, StreamBody::new(frames))
}

/// The requests that an API has received.
#[derive(Clone, Default)]
struct ReceivedRequests(Arc<Mutex<Vec<ReceivedRequest>>>);

struct ReceivedRequest {
    token: String,
    /// `None` if the API did not read it.
    body: Option<Bytes>,
}

impl ReceivedRequests {
    fn add(&self, headers: &http::HeaderMap, body: Option<Bytes>) {
        let token = headers["authorization"].to_str().unwrap().to_owned();
        self.0.lock().unwrap().push(ReceivedRequest { token, body });
    }

    fn tokens(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|received_requests| received_requests.token.clone()).collect()
    }

    fn bodies(&self) -> Vec<Option<Bytes>> {
        self.0.lock().unwrap().iter().map(|received_requests| received_requests.body.clone()).collect()
    }
}
