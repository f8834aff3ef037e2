//! The layer: a grant and the options, and with it the token that its services share.

mod numbers;
mod reach;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use tower_layer::Layer;
use tower_service::Service;

use crate::attach::Attach;
use crate::cell::{Cell, Tokens};
use crate::error::BoxError;
use crate::grant::Grant;
use crate::route::{ThroughInner, ThroughService, WithBody};
use crate::service::OAuth2;
use crate::transport::Transport;

/// Authorizes every request of the services it wraps with a token that its grant gets.
///
/// All services that a layer makes, their clones, and the clones of the layer share one token.
///
/// ```
/// # use bytes::Bytes;
/// # use http_body_util::Full;
/// # use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// # // Stands for a client: the authorization server, and an API that repeats what it gets.
/// # let http_client = service_fn(async |request: http::Request<Full<Bytes>>| {
/// #     let sent = request.headers()["authorization"].to_str().unwrap().to_owned();
/// #     let answer = match request.uri().host() {
/// #         Some("auth.example.com") => r#"{"access_token": "2YotnFZFEjr1zCsicMWpAA"}"#.to_owned(),
/// #         _ => sent,
/// #     };
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from(answer))))
/// # });
/// let client = Client::basic("id", "secret");
/// let grant = ClientCredentials::new("https://auth.example.com/token", client)?
///     .scope("read write")?
///     .param("audience", "https://api.example.com");
///
/// let mut api = ServiceBuilder::new()
///     .layer(OAuth2Layer::new(grant).origin("https://api.example.com")?)
///     .service(http_client);
///
/// let request = http::Request::get("https://api.example.com/things").body(Full::default())?;
/// let response = api.ready().await?.call(request).await?;
/// # use http_body_util::BodyExt;
/// # let body = response.into_body().collect().await?.to_bytes();
/// # assert_eq!(body, "Bearer 2YotnFZFEjr1zCsicMWpAA");
/// # Ok(())
/// # }
/// ```
///
/// # Security
///
/// Name the API with [`origin`](OAuth2Layer::origin): without it the token goes to every `https` host that a request
/// names, and a redirect that a layer outside follows names its own.
///
/// The redirects of a token endpoint are refused. A layer *inside* that follows redirects does so behind our back: it can
/// take the client's secret elsewhere, and bring a token from there. Give token calls a client that does not follow any, with
/// [`token_service`](OAuth2Layer::token_service).
#[must_use = "a layer does nothing until it wraps a service"]
pub struct OAuth2Layer<G, T = ThroughInner> {
    cell: Arc<Cell>,
    attach: Arc<Attach>,
    route: T,
    grant: PhantomData<fn() -> G>,
}

impl<G: Grant> OAuth2Layer<G> {
    /// A layer that gets its tokens from this grant, through the services it wraps.
    pub fn new(grant: G) -> Self {
        Self { cell: Cell::new(grant), attach: Arc::default(), route: ThroughInner, grant: PhantomData }
    }
}

/// How token calls travel.
impl<G, T> OAuth2Layer<G, T> {
    /// Token calls go through the inner service, with bodies made by `body`.
    ///
    /// For inner services whose request body cannot be made from `Bytes` by `From`:
    ///
    /// ```
    /// # fn wrap(grant: tower_oauth2::grant::ClientCredentials) {
    /// let layer = tower_oauth2::OAuth2Layer::new(grant).token_body(tonic::body::Body::new);
    /// # let _ = layer;
    /// # }
    /// ```
    pub fn token_body<F, B>(self, body: F) -> OAuth2Layer<G, WithBody<F>>
    where
        F: Fn(Full<Bytes>) -> B + Clone + Send + Sync + 'static,
    {
        self.routed(WithBody(body))
    }

    /// Token calls go through `service` instead of the inner service: for an inner service that always goes to one host,
    /// such as a tonic `Channel`.
    ///
    /// ```
    /// # use {bytes::Bytes, http_body_util::Full};
    /// # fn wrap(grant: tower_oauth2::grant::ClientCredentials) {
    /// # let http_client = tower::service_fn(async |_: http::Request<Full<Bytes>>| Ok::<_, tower::BoxError>(http::Response::new(String::new())));
    /// let layer = tower_oauth2::OAuth2Layer::new(grant).token_service(http_client);
    /// # let _ = layer;
    /// # }
    /// ```
    ///
    /// It must not be wrapped by this layer itself, which is told with
    /// [`ErrorKind::Recursion`](crate::ErrorKind::Recursion). It should not follow redirects: they would take the
    /// client's secret along.
    pub fn token_service<S, R>(self, service: S) -> OAuth2Layer<G, ThroughService>
    where
        S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        R: Body + Send,
        R::Data: Send,
        R::Error: Into<BoxError>,
    {
        let transport = Transport::new(service);
        self.cell.connect(transport.clone());
        self.routed(ThroughService(transport))
    }

    fn routed<U>(self, route: U) -> OAuth2Layer<G, U> {
        OAuth2Layer { cell: self.cell, attach: self.attach, route, grant: PhantomData }
    }
}

/// The token.
impl<G, T> OAuth2Layer<G, T> {
    /// What else counts as a refusal of the token, beside a 401 and gRPC's `UNAUTHENTICATED`: the next request then gets a new
    /// one. It holds for every clone of the layer; the last one given counts.
    ///
    /// For servers that tell an expired token in a way of their own:
    ///
    /// ```
    /// use http::StatusCode;
    ///
    /// # fn wrap(grant: tower_oauth2::grant::ClientCredentials) {
    /// let layer = tower_oauth2::OAuth2Layer::new(grant).also_refused(|status, headers| {
    ///     status == StatusCode::FORBIDDEN && headers.get("x-error").is_some_and(|code| code == "TOKEN_EXPIRED")
    /// });
    /// # let _ = layer;
    /// # }
    /// ```
    ///
    /// It is asked on the response to every request that carried the token, and is not asked about a 401. A 403 by itself is
    /// no refusal: the token is good, and not enough (`insufficient_scope`, [RFC 6750 §3.1]).
    ///
    /// [RFC 6750 §3.1]: https://www.rfc-editor.org/rfc/rfc6750#section-3.1
    pub fn also_refused<F>(self, refused: F) -> Self
    where
        F: Fn(StatusCode, &HeaderMap) -> bool + Send + Sync + 'static,
    {
        self.cell.set_refusal(Box::new(refused));
        self
    }

    /// What this layer is called in [spans and numbers](crate::docs::observing), to tell several in one program apart. It
    /// holds for every clone of the layer. Used with the features `tracing` and `metrics` only.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.cell.set_name(name.into());
        self
    }

    /// A handle to the token that this layer's services share.
    pub fn tokens(&self) -> Tokens {
        Tokens::new(self.cell.clone(), self.attach.clone())
    }
}

impl<S, G, T: Clone> Layer<S> for OAuth2Layer<G, T> {
    type Service = OAuth2<S, G, T>;

    fn layer(&self, inner: S) -> Self::Service {
        OAuth2::new(inner, self.cell.clone(), self.attach.clone(), self.route.clone())
    }
}

/// The clone shares the token.
impl<G, T: Clone> Clone for OAuth2Layer<G, T> {
    fn clone(&self) -> Self {
        Self { cell: self.cell.clone(), attach: self.attach.clone(), route: self.route.clone(), grant: PhantomData }
    }
}

impl<G, T> fmt::Debug for OAuth2Layer<G, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2Layer")
            .field("grant", &std::any::type_name::<G>())
            .field("tokens", &self.tokens())
            .field("attach", &self.attach)
            .finish_non_exhaustive()
    }
}
