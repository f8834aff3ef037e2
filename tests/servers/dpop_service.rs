//! A layer that counts how often each of its requests is sent.

use std::convert::identity;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::Barrier;
use tower::retry::RetryLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::dpop::Dpop;
use tower_oauth2::grant::{ClientCredentials, Grant};
use tower_oauth2::jwt::Key;
use tower_oauth2::retry::{RejectionReason, RetryUnauthorized, TokenRejected};
use tower_oauth2::{OAuth2Layer, Tokens, client::Client};

use crate::oidc_provider::ExclusiveServer;
use crate::plain;

/// How often a request was sent: an extension of the request.
#[derive(Clone, Default)]
struct Sends(Arc<AtomicUsize>);

impl Sends {
    fn of<B>(request: &Request<B>) -> Self {
        request.extensions().get::<Self>().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

type Service = BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, BoxError>;

/// The layer with and without repetitions. Token requests are sent by another service.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) tokens: Tokens,
    once: Service,
    repeating: Service,
}

/// The response to a request, and how often it was sent.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: StatusCode,
    pub(crate) echo: Value,
    pub(crate) mark: Option<RejectionReason>,
    pub(crate) sends: usize,
}

pub(crate) fn new_key() -> Dpop {
    Dpop::new(Key::generate().unwrap())
}

/// Client credentials of a client whose secret is `ID-secret`.
pub(crate) fn credentials(server: &ExclusiveServer, id: &str, dpop: &Dpop) -> ClientCredentials {
    let client = Client::basic(id, format!("{id}-secret"));
    let grant = ClientCredentials::new(server.get("TOKEN"), client).unwrap();
    grant.scope("api:read").unwrap().dpop(dpop.clone())
}

impl Api {
    pub(crate) fn new(grant: impl Grant) -> Self {
        Self::with(grant, identity, identity)
    }

    /// So many requests at once: they are sent when all have been signed, and repeated when the layer has seen all responses.
    pub(crate) fn with_rounds_of(requests: usize, grant: impl Grant) -> Self {
        let (signed, answered) = (Arc::new(Barrier::new(requests)), Arc::new(Barrier::new(requests)));
        Self::with(
            grant,
            move |http| {
                Service::new(service_fn(move |request: Request<Full<Bytes>>| {
                    let (http, signed, sends) = (http.clone(), signed.clone(), Sends::of(&request));
                    async move {
                        if sends.count() == 1 {
                            signed.wait().await;
                        }
                        http.oneshot(request).await
                    }
                }))
            },
            move |layered| {
                Service::new(service_fn(move |request: Request<Full<Bytes>>| {
                    let (layered, answered, sends) = (layered.clone(), answered.clone(), Sends::of(&request));
                    async move {
                        let response = layered.oneshot(request).await;
                        if sends.count() == 1 {
                            answered.wait().await;
                        }
                        response
                    }
                }))
            },
        )
    }

    /// `inside` and `outside` of the layer, and inside of the repetitions.
    fn with(
        grant: impl Grant,
        inside: impl FnOnce(Service) -> Service,
        outside: impl FnOnce(Service) -> Service,
    ) -> Self {
        let http = inside(Service::new(plain::client().map_err(BoxError::from)));
        let counting = http.map_request(|request: Request<Full<Bytes>>| {
            Sends::of(&request).0.fetch_add(1, Ordering::SeqCst);
            request
        });
        let layer = OAuth2Layer::new(grant).token_service(plain::client());
        let once = outside(Service::new(layer.layer(counting)));
        let repeating = RetryLayer::new(RetryUnauthorized::new().buffered(1024)).layer(once.clone());
        Self { tokens: layer.tokens(), once, repeating: Service::new(repeating) }
    }

    /// Sends a request with a body, and repeats it if the layer's mark allows it.
    pub(crate) async fn send(&self, method: Method, url: &str, body: &str) -> Outcome {
        Self::send_by(self.repeating.clone(), method, url, body).await
    }

    pub(crate) async fn get(&self, url: &str) -> Outcome {
        self.send(Method::GET, url, "").await
    }

    pub(crate) async fn get_once(&self, url: &str) -> Outcome {
        Self::send_by(self.once.clone(), Method::GET, url, "").await
    }

    async fn send_by(service: Service, method: Method, url: &str, body: &str) -> Outcome {
        let sends = Sends::default();
        let request = Request::builder().method(method).uri(url).extension(sends.clone());
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let response = service.oneshot(request).await.unwrap();
        let (status, mark) = (response.status(), response.extensions().get().map(TokenRejected::reason));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let echo = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Outcome { status, echo, mark, sends: sends.count() }
    }
}

impl Outcome {
    /// Asserts success, and how often the request was sent.
    #[track_caller]
    pub(crate) fn expect(&self, sends: usize) {
        assert_eq!((self.status, self.mark, self.sends), (StatusCode::OK, None, sends), "{self:?}");
    }
}
