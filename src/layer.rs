//! The layer: a grant, options, and the token cell that its services share.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use tower_layer::Layer;
use tower_service::Service;

use crate::authorize::SharedPolicy;
use crate::cell::{TokenCell, Tokens};
use crate::error::BoxError;
use crate::grant::{BoxGrant, Grant};
use crate::route::{ThroughInner, ThroughService, WithBody};
use crate::service::{OAuth2, ServiceState};
use crate::transport::Transport;

/// A layer that attaches a token to each request. The token is obtained and refreshed by a grant.
///
/// All services of a layer, their clones, and the clones of the layer share one token.
///
/// ```
/// # use bytes::Bytes;
/// # use http_body_util::Full;
/// # use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// # // A mock client: the authorization server, and an API that returns the `Authorization` header.
/// # let http_client = service_fn(async |request: http::Request<Full<Bytes>>| {
/// #     let sent = request.headers()["authorization"].to_str().unwrap().to_owned();
/// #     let body = match request.uri().host() {
/// #         Some("auth.example.com") => r#"{"access_token": "2YotnFZFEjr1zCsicMWpAA"}"#.to_owned(),
/// #         _ => sent,
/// #     };
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from(body))))
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
/// Set the [`origin`](OAuth2Layer::origin) of the API. Without it, the token is sent to every `https` host of a request, and to the hosts of
/// redirects if an outer layer follows them.
///
/// This layer does not follow redirects of the token endpoint. An *inner* layer that follows redirects would send the client secret to another
/// host, and accept a token from there. Set a client that does not follow redirects with [`token_service`](OAuth2Layer::token_service).
///
/// # At the end of a program
///
/// Before a short program returns from `main`, it should call [`Tokens::flush`], because a refresh may be running in the background.
#[must_use = "a layer does nothing until it wraps a service"]
pub struct OAuth2Layer<G, T = ThroughInner> {
    pub(crate) cell: Arc<TokenCell>,
    pub(crate) policy: SharedPolicy,
    pub(crate) route: T,
    grant: PhantomData<fn() -> G>,
}

impl<G: Grant> OAuth2Layer<G> {
    /// Creates a layer that obtains its tokens from this grant. Token requests are sent through the inner service.
    pub fn new(grant: G) -> Self {
        let cell = TokenCell::new(grant);
        let policy = if cell.has_key() { SharedPolicy::for_bound_tokens() } else { SharedPolicy::default() };
        Self { cell, policy, route: ThroughInner, grant: PhantomData }
    }
}

/// How token requests are sent.
impl<G, T> OAuth2Layer<G, T> {
    /// Sets the conversion to the request body of the inner service, for token requests.
    ///
    /// It is needed if the request body of the inner service does not implement `From<Bytes>`:
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
        self.with_route(WithBody(body))
    }

    /// Sends token requests through `service` instead of the inner service.
    ///
    /// It is needed if the inner service is connected to one host, such as a tonic `Channel`:
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
    /// The request body of the service must implement `From<Bytes>`, such as `Full<Bytes>`, `reqwest::Body` or `axum::body::Body`. For
    /// another body, use tower's `map_request`: see [`Transport::new`](crate::transport::Transport::new). If the service accepts several body
    /// types, specify one: `token_service::<_, Full<Bytes>, _>(service)`.
    ///
    /// The service must not be wrapped by this layer. Otherwise requests fail with
    /// [`ErrorKind::Recursion`](crate::ErrorKind::Recursion). It should not follow redirects, because that would send the client secret to
    /// another host.
    pub fn token_service<S, B, R>(self, service: S) -> OAuth2Layer<G, ThroughService>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: From<Bytes> + 'static,
        R: Body + Send,
        R::Data: Send,
        R::Error: Into<BoxError>,
    {
        let transport = Transport::new(service);
        self.cell.set_transport(transport.clone());
        self.with_route(ThroughService(transport))
    }

    fn with_route<U>(self, route: U) -> OAuth2Layer<G, U> {
        OAuth2Layer { cell: self.cell, policy: self.policy, route, grant: PhantomData }
    }
}

/// The token, and its rejection.
impl<G, T> OAuth2Layer<G, T> {
    /// Sets a predicate for responses that reject the token, in addition to 401 and gRPC `UNAUTHENTICATED`.
    ///
    /// It is for servers that report an expired token in a non-standard way:
    ///
    /// ```
    /// use http::StatusCode;
    ///
    /// # fn wrap(grant: tower_oauth2::grant::ClientCredentials) {
    /// let layer = tower_oauth2::OAuth2Layer::new(grant).reject_when(|status, headers| {
    ///     status == StatusCode::FORBIDDEN && headers.get("x-error").is_some_and(|code| code == "TOKEN_EXPIRED")
    /// });
    /// # let _ = layer;
    /// # }
    /// ```
    ///
    /// The predicate is called for each response to a request with the token, also for a 401 that names only other schemes. It is not called
    /// for a response that is already a rejection, nor for a 401 about the [DPoP proof](crate::docs::dpop#after-a-401) (`use_dpop_nonce`,
    /// `invalid_dpop_proof`), because another token would not help, nor for a challenge that [`step_up`](Self::step_up) handles. By default a 403 is not a rejection: the token is valid, but not sufficient
    /// (`insufficient_scope`, [RFC 6750 §3.1]).
    ///
    /// The predicate is shared by all clones of the layer. If it is set twice, the last one is used. With a predicate, the layer checks each
    /// response and reads the clocks for each request, so requests do not use the [fast path](crate::docs::behaviour#the-fast-path).
    ///
    /// [RFC 6750 §3.1]: https://www.rfc-editor.org/rfc/rfc6750#section-3.1
    #[doc(alias = "401")]
    pub fn reject_when<F>(self, predicate: F) -> Self
    where
        F: Fn(StatusCode, &HeaderMap) -> bool + Send + Sync + 'static,
    {
        self.cell.set_reject_when(Box::new(predicate));
        self
    }

    /// Sets the name of this layer in [spans, events and metrics](crate::docs::observing), to distinguish several layers of one
    /// program.
    ///
    /// The name is shared by all clones of the layer. It is used only with the features `tracing` and `metrics`.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.cell.set_name(name.into());
        self
    }

    /// Erases the type of the grant, so that layers with different grants have one type. The token is kept.
    ///
    /// ```
    /// use tower_oauth2::{OAuth2Layer, Token, client::Client, grant::{BoxGrant, ClientCredentials, RefreshToken}};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let url = "https://auth.example.com/token";
    /// let service = OAuth2Layer::new(ClientCredentials::new(url, Client::basic("id", "secret"))?);
    /// let person = OAuth2Layer::new(RefreshToken::new(url, Client::public("id"), "tGzv3JOkF0XG5Qx2TlKWIA")?);
    /// service.tokens().set(Token::bearer("2YotnFZFEjr1zCsicMWpAA")?);
    ///
    /// let layers: [OAuth2Layer<BoxGrant>; 2] = [service.boxed(), person.boxed()];
    /// assert_eq!(layers[0].tokens().peek().unwrap().access_token(), "2YotnFZFEjr1zCsicMWpAA");
    /// # Ok(())
    /// # }
    /// ```
    pub fn boxed(self) -> OAuth2Layer<BoxGrant, T> {
        OAuth2Layer { cell: self.cell, policy: self.policy, route: self.route, grant: PhantomData }
    }

    /// Returns a handle to the token that the services of this layer share.
    pub fn tokens(&self) -> Tokens {
        Tokens::new(self.cell.clone(), self.policy.clone())
    }
}

impl<S, G, T: Clone> Layer<S> for OAuth2Layer<G, T> {
    type Service = OAuth2<S, G, T>;

    fn layer(&self, inner: S) -> Self::Service {
        self.cell.report_initial();
        OAuth2::new(inner, ServiceState::new(self.cell.clone(), self.policy.clone(), self.route.clone()))
    }
}

/// Returns a layer that shares the token. Its origins, its other options of where the token may be sent, and [`on_challenge`](Self::on_challenge) can be
/// changed independently.
impl<G, T: Clone> Clone for OAuth2Layer<G, T> {
    fn clone(&self) -> Self {
        let (cell, policy, route) = (self.cell.clone(), self.policy.fork(), self.route.clone());
        Self { cell, policy, route, grant: PhantomData }
    }
}

impl<G, T> fmt::Debug for OAuth2Layer<G, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2Layer")
            .field("grant", &std::any::type_name::<G>())
            .field("tokens", &self.tokens())
            .field("policy", &self.policy.load())
            .finish_non_exhaustive()
    }
}
