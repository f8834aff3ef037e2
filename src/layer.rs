//! The layer: a grant and the options, and with it the token that its services share.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use tower_layer::Layer;
use tower_service::Service;

use crate::attach::Attach;
use crate::cell::{Cell, Policy, Settings, Tokens};
use crate::error::{BoxError, Error};
use crate::grant::Grant;
use crate::into_url::IntoUrl;
use crate::origin::Origin;
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
/// let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?
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

/// Where the token may go. These options are this layer's own.
impl<G, T> OAuth2Layer<G, T> {
    /// Binds the token to an origin: scheme, host and port. May be given several times. The path of the address does not
    /// count: an origin is all of a host.
    ///
    /// A request to another origin is sent without the token. A request whose URI has no host goes where the inner
    /// service's fixed channel goes, and gets it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is no `http` or `https` address.
    pub fn origin(mut self, origin: impl IntoUrl) -> Result<Self, Error> {
        let origin = Origin::parse(origin)?;
        self.attach().origins.push(origin);
        Ok(self)
    }

    /// Refuses a request to an origin that the token is not bound to, rather than send it without the token. No effect
    /// without [`origin`](OAuth2Layer::origin).
    pub fn refuse_foreign_origins(mut self) -> Self {
        self.attach().refuse_foreign = true;
        self
    }

    /// Replaces an `Authorization` that a request brings. By default the request keeps its own.
    pub fn override_authorization(mut self) -> Self {
        self.attach().override_authorization = true;
        self
    }

    /// Sends the token over `http://` to any host, not to loopback only.
    ///
    /// # Security
    ///
    /// Whoever sees the traffic can use the token. Only for a network that is protected otherwise, such as a service mesh.
    /// For the token endpoint see
    /// [`TokenEndpoint::dangerous_cleartext`](crate::endpoint::TokenEndpoint::dangerous_cleartext).
    pub fn dangerous_allow_cleartext(mut self) -> Self {
        self.attach().allow_cleartext = true;
        self
    }

    fn attach(&mut self) -> &mut Attach {
        Arc::make_mut(&mut self.attach)
    }
}

/// Numbers. They belong to the token, so they hold for every clone of the layer; for tokens and calls after the change.
///
/// The docs of [behaviour](crate::docs::behaviour) tell them together, and why each is what it is.
impl<G, T> OAuth2Layer<G, T> {
    /// How long before its expiry a token is no longer sent: 30 s, and never more than a tenth of its lifetime. Zero sends it
    /// to its very end.
    pub fn skew(self, skew: Duration) -> Self {
        self.policy(|policy| policy.skew = skew)
    }

    /// How long before its expiry a token that is in use is renewed, while it still serves: 300 s, and never more than half
    /// of its lifetime. Zero renews it only when it has ended, and then requests wait.
    ///
    /// It comes before the [`skew`](OAuth2Layer::skew) even where that is longer: then at twice the skew.
    pub fn refresh_ahead(self, ahead: Duration) -> Self {
        self.policy(|policy| policy.ahead = ahead)
    }

    /// Which part of [`refresh_ahead`](OAuth2Layer::refresh_ahead) is left to chance, drawn anew for each token: 0.2, which is
    /// to say that it is renewed 240 to 300 s before its expiry. So a fleet that began at one moment does not renew at one.
    /// Zero leaves nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) unless it is in `0.0..=0.5`.
    pub fn refresh_ahead_jitter(self, part: f64) -> Result<Self, Error> {
        part_of("refresh_ahead_jitter", part, 0.5)?;
        Ok(self.policy(|policy| policy.ahead_jitter = part))
    }

    /// The shortest time between two tries to renew a token that still serves: 30 s, and never more than a tenth of its
    /// lifetime.
    pub fn smallest_gap(self, gap: Duration) -> Self {
        self.policy(|policy| policy.gap = gap)
    }

    /// How long a token lives that came without an expiry. By default for ever: until a server refuses it.
    pub fn default_lifetime(self, lifetime: Duration) -> Self {
        self.policy(|policy| policy.default_lifetime = Some(lifetime))
    }

    /// How long to wait after a failed token call before the next: `first` (1 s), then longer each time
    /// ([`backoff_growth`](OAuth2Layer::backoff_growth)), to at most `longest` (120 s). Meanwhile requests get the error of the
    /// failure at once. What the server asks for with `Retry-After` wins.
    ///
    /// Zero tries again with the next request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when `first` is longer than `longest`.
    pub fn backoff(self, first: Duration, longest: Duration) -> Result<Self, Error> {
        if first > longest {
            return Err(Error::argument("backoff", format!("the first wait, {first:?}, is longer than {longest:?}")));
        }
        Ok(self.policy(|policy| (policy.first_backoff, policy.longest_backoff) = (first, longest)))
    }

    /// How many times longer each wait after a failure is than the one before: 1.6. One keeps them all the same.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is less than one, or no number.
    pub fn backoff_growth(self, factor: f64) -> Result<Self, Error> {
        if !(factor.is_finite() && factor >= 1.0) {
            return Err(Error::argument("backoff_growth", format!("must be 1 or more, not {factor}")));
        }
        Ok(self.policy(|policy| policy.backoff_growth = factor))
    }

    /// By which part a wait after a failure is longer or shorter by chance: 0.2. Zero leaves nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) unless it is in `0.0..=1.0`.
    pub fn backoff_jitter(self, part: f64) -> Result<Self, Error> {
        part_of("backoff_jitter", part, 1.0)?;
        Ok(self.policy(|policy| policy.backoff_jitter = part))
    }

    /// The longest wait that a server's `Retry-After` can ask for: one hour. A longer one is cut to this. Zero does not listen
    /// to the header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is more than an hour.
    pub fn longest_retry_after(self, longest: Duration) -> Result<Self, Error> {
        if longest > Duration::from_secs(60 * 60) {
            return Err(Error::argument("longest_retry_after", format!("must be one hour or less, not {longest:?}")));
        }
        Ok(self.policy(|policy| policy.longest_retry_after = longest))
    }

    /// How long one token call may take, to the last byte of its answer: 30 s.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is zero: none would have the time to succeed.
    pub fn token_deadline(self, deadline: Duration) -> Result<Self, Error> {
        if deadline.is_zero() {
            return Err(Error::argument("token_deadline", "must be more than zero"));
        }
        Ok(self.settings(|settings| settings.limits.deadline = deadline))
    }

    /// How much of an answer to a token call is read, in bytes: 1 MiB. A longer one is
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is zero: no token would fit.
    pub fn response_limit(self, bytes: usize) -> Result<Self, Error> {
        if bytes == 0 {
            return Err(Error::argument("response_limit", "must be more than zero"));
        }
        Ok(self.settings(|settings| settings.limits.body = bytes))
    }

    fn policy(self, change: impl FnOnce(&mut Policy)) -> Self {
        self.settings(|settings| change(&mut settings.policy))
    }

    fn settings(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.cell.configure(change);
        self
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

    /// A handle to the token that this layer's services share.
    pub fn tokens(&self) -> Tokens {
        Tokens::new(self.cell.clone(), self.attach.clone())
    }
}

/// A part of something, by chance.
fn part_of(name: &str, part: f64, most: f64) -> Result<(), Error> {
    if (0.0..=most).contains(&part) {
        Ok(())
    } else {
        Err(Error::argument(name, format!("must be in 0.0..={most:?}, not {part}")))
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
