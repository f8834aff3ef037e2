//! Tokens that are bound to a key (RFC 9449) over tonic. A channel's requests have no authority when the layer sees them, so their proofs
//! name its origin. The server verifies them for the address that it is called with.

use std::convert::Infallible;

use fastrand::Rng;
use futures_util::future::join_all;
use http::HeaderMap;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::health_reporter;
use tower::{Layer, ServiceExt};
use tower_oauth2::OAuth2Layer;
use tower_oauth2::dpop::Dpop;
use tower_oauth2::retry::RetryUnauthorized;

use super::listener::Listener;
use super::login_key::{in_memory, remote};
use super::proof_check::ProofCheck;
use super::*;

type Service = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// A gRPC server, and the authorization server that issues its tokens: `t1`, `t2`, …
struct Servers {
    proofs: ProofCheck,
    issued: Mutex<u32>,
    /// The token of each call.
    calls: Mutex<Vec<String>>,
    /// A token that is not accepted.
    rejected: Option<&'static str>,
}

/// A key in memory, and one of a signer that the request waits for.
fn both() -> [Dpop; 2] {
    [in_memory(Rng::new()).unwrap(), remote(Rng::new()).unwrap()]
}

fn proofs(headers: &HeaderMap) -> Vec<&str> {
    headers.get_all("dpop").iter().map(|proof| proof.to_str().unwrap()).collect()
}

impl Servers {
    fn new(dpop: &Dpop, rejected: Option<&'static str>) -> Arc<Self> {
        let proofs = ProofCheck::new(dpop.thumbprint());
        Arc::new(Self { proofs, issued: Mutex::default(), calls: Mutex::default(), rejected })
    }

    /// The layer over a service, with the origin.
    fn layered<S>(self: &Arc<Self>, dpop: Dpop, origin: Option<String>, inner: S) -> Service
    where
        S: tower::Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError> + Send,
        S::Future: Send,
    {
        let servers = self.clone();
        let tokens = service_fn(move |request: Request<Full<Bytes>>| {
            servers.proofs.check(("POST", TOKEN_URL), &proofs(request.headers()), None).unwrap();
            let mut issued = servers.issued.lock().unwrap();
            *issued += 1;
            let token = format!(r#"{{"access_token": "t{issued}", "token_type": "DPoP", "expires_in": 3600}}"#);
            std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(token))))
        });
        let layer = OAuth2Layer::new(grant().dpop(dpop)).token_service(tokens);
        let layer = origin.into_iter().fold(layer, |layer, origin| layer.origin(origin).unwrap());
        Service::new(layer.layer(inner))
    }

    async fn listen(self: &Arc<Self>) -> Listener {
        let servers = self.clone();
        let (_, health) = health_reporter();
        let handler = move |request: Request<Incoming>| {
            let checked = servers.call(&request);
            let health = health.clone();
            async move {
                match checked {
                    Ok(()) => health.oneshot(request).await.unwrap().map(Body::new),
                    Err(status) => status.into_http(),
                }
            }
        };
        Listener::serve(handler).await.unwrap()
    }

    fn call(&self, request: &Request<Incoming>) -> Result<(), Status> {
        let header = request.headers()["authorization"].to_str().unwrap();
        let token = header.strip_prefix("DPoP ").ok_or_else(|| Status::unauthenticated("another scheme"))?;
        self.calls.lock().unwrap().push(token.to_owned());
        // HTTP/2 has the address in the request.
        let (method, url) = (request.method().as_str(), request.uri().to_string());
        self.proofs
            .check((method, &url), &proofs(request.headers()), Some(token))
            .map_err(Status::permission_denied)?;
        if self.rejected == Some(token) { Err(Status::unauthenticated("the token is rejected")) } else { Ok(()) }
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

async fn channel(listener: &Listener) -> Channel {
    Channel::from_shared(listener.origin()).unwrap().connect().await.unwrap()
}

/// A client whose layer has the origin.
async fn over_channel(servers: &Arc<Servers>, dpop: Dpop) -> (Listener, Service) {
    let listener = servers.listen().await;
    let service = servers.layered(dpop, Some(listener.origin()), channel(&listener).await);
    (listener, service)
}

#[tokio::test]
async fn each_call_over_a_channel_has_a_proof_for_the_origin() {
    for dpop in both() {
        let servers = Servers::new(&dpop, None);
        let (_listener, service) = over_channel(&servers, dpop).await;
        let mut client = HealthClient::new(service);
        for _ in 0..3 {
            let response = client.check(HealthCheckRequest::default()).await.unwrap();
            assert_eq!(response.get_ref().status(), ServingStatus::Serving);
        }
        let mut updates = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        assert_eq!(updates.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
        assert_eq!(servers.calls(), ["t1", "t1", "t1", "t1"]);
    }
}

#[tokio::test]
async fn calls_at_once_have_proofs_of_their_own() {
    for dpop in both() {
        let servers = Servers::new(&dpop, None);
        let (_listener, service) = over_channel(&servers, dpop).await;
        let calls = (0..50).map(|_| {
            let mut client = HealthClient::new(service.clone());
            async move { client.check(HealthCheckRequest::default()).await.map(drop) }
        });
        assert!(join_all(calls).await.into_iter().all(|call| call.is_ok()));
        assert_eq!(servers.calls(), vec!["t1"; 50]);
    }
}

/// hyper's client gets the whole address from tonic.
#[tokio::test]
async fn a_call_with_an_authority_has_a_proof_for_it() {
    for dpop in both() {
        let servers = Servers::new(&dpop, None);
        let listener = servers.listen().await;
        let http = legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();
        let service = servers.layered(dpop, None, http.map_response(|response| response.map(Body::new)));
        let mut client = HealthClient::with_origin(service, listener.origin().parse().unwrap());
        client.check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(servers.calls(), ["t1"]);
    }
}

/// The status of a trailers-only response. The call is repeated with a new token and a new proof.
#[tokio::test]
async fn a_call_whose_token_is_rejected_is_repeated_with_another_proof() {
    for dpop in both() {
        let servers = Servers::new(&dpop, Some("t1"));
        let (_listener, service) = over_channel(&servers, dpop).await;
        let service = RetryUnauthorized::new().buffered(MAX_BYTES).into_layer(Body::new).layer(service);
        HealthClient::new(service).check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(servers.calls(), ["t1", "t2"]);
    }
}

/// Without the feature, tonic does not find the status.
#[cfg(feature = "tonic")]
#[tokio::test]
async fn without_an_origin_the_call_fails_with_advice_and_is_not_sent() {
    for dpop in both() {
        let servers = Servers::new(&dpop, None);
        let listener = servers.listen().await;
        let mut client = HealthClient::new(servers.layered(dpop, None, channel(&listener).await));
        let status = client.check(HealthCheckRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unauthenticated, "{status:?}");
        assert!(status.message().contains("name the origin"), "{status:?}");
        assert_eq!(servers.calls(), [""; 0]);
    }
}
