//! What the layer does if an API demands a token, or another one.

use crate::layer::OAuth2Layer;

/// Challenges: what an API demands with a 401 or a 403.
impl<G, T> OAuth2Layer<G, T> {
    /// Obtains another token if an API demands more of it: a scope, a stronger or fresher login, or other claims.
    ///
    /// | response to a request with the token | the next token |
    /// | --- | --- |
    /// | 403 or 401 with `error="insufficient_scope"` and `scope` ([RFC 6750 §3.1]) | has these scopes too |
    /// | 401 with `error="insufficient_user_authentication"` ([RFC 9470]) | comes from a login with these `acr_values` and this `max_age` |
    /// | 401 with `error="insufficient_claims"` and `claims` (Entra ID) | comes from a token request with these claims |
    ///
    /// Such a response is marked with [`RejectionReason::Challenge`](crate::retry::RejectionReason::Challenge), and
    /// [`RetryUnauthorized`](crate::retry::RetryUnauthorized) repeats its request with the newer token. The token stays in use for all other
    /// requests. If no other token can be obtained, the repeated request fails with that error.
    ///
    /// This option is the consent to a login at any time: a grant with a person asks that person again, because a refresh brings the same
    /// scope and the same login. By default such responses pass, and a program that asks its user first calls
    /// [`Tokens::step_up`](crate::Tokens::step_up).
    ///
    /// ```
    /// use tower::{ServiceBuilder, retry::RetryLayer};
    /// use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, retry::RetryUnauthorized};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// # let http_client = tower::service_fn(async |_: http::Request<String>| Ok::<_, tower::BoxError>(http::Response::new(String::new())));
    /// let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?.scope("read")?;
    /// let api = ServiceBuilder::new()
    ///     .layer(RetryLayer::new(RetryUnauthorized::new()))
    ///     .layer(OAuth2Layer::new(grant).origin("https://api.example.com")?.step_up())
    ///     .service(http_client);
    /// # let _ = api;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The page [step-up](crate::docs::step_up) says what each grant does, and when nothing starts.
    ///
    /// A challenge for what the token was requested with already starts nothing. After three refreshes in a row whose requests were
    /// challenged again, nothing starts for ten minutes, and never more than twenty within ten minutes.
    ///
    /// The option is shared by all clones of the layer. With it, the layer checks each response, so requests do not use the
    /// [fast path](crate::docs::behaviour#the-fast-path).
    ///
    /// [RFC 6750 §3.1]: https://www.rfc-editor.org/rfc/rfc6750#section-3.1
    /// [RFC 9470]: https://www.rfc-editor.org/rfc/rfc9470
    pub fn step_up(self) -> Self {
        self.cell.enable_step_up();
        self
    }

    /// Obtains no token until a server demands one: requests are sent without a token, and the first 401 starts the login or the token
    /// request.
    ///
    /// It is for programs that learn from the 401 whether a token is needed, and where it is issued, such as MCP clients, and for APIs
    /// with public parts.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use http_body_util::Full;
    /// # use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
    /// use tower::retry::RetryLayer;
    /// use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, retry::RetryUnauthorized};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower::BoxError> {
    /// # // A mock client: the authorization server, and an API with a public part.
    /// # let http_client = service_fn(async |request: http::Request<Full<Bytes>>| {
    /// #     let is_authorized = request.headers().contains_key("authorization");
    /// #     let (status, body) = match (request.uri().host(), request.uri().path()) {
    /// #         (Some("auth.example.com"), _) => (200, r#"{"access_token": "2YotnFZFEjr1zCsicMWpAA"}"#),
    /// #         (_, "/public") => (200, ""),
    /// #         _ => (if is_authorized { 200 } else { 401 }, ""),
    /// #     };
    /// #     Ok::<_, tower::BoxError>(http::Response::builder().status(status).body(Full::new(Bytes::from(body)))?)
    /// # });
    /// # let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
    /// let layer = OAuth2Layer::new(grant).origin("https://api.example.com")?.on_challenge();
    /// let tokens = layer.tokens();
    /// let mut api = ServiceBuilder::new()
    ///     .layer(RetryLayer::new(RetryUnauthorized::new()))
    ///     .layer(layer)
    ///     .service(http_client);
    ///
    /// let request = http::Request::get("https://api.example.com/public").body(Full::default())?;
    /// assert_eq!(api.ready().await?.call(request).await?.status(), 200);
    /// assert_eq!(tokens.peek(), None);
    ///
    /// // The API responds with 401. The request is repeated with a token.
    /// let request = http::Request::get("https://api.example.com/things").body(Full::default())?;
    /// assert_eq!(api.ready().await?.call(request).await?.status(), 200);
    /// assert!(tokens.peek().is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The 401 is marked with [`RejectionReason::Challenge`](crate::retry::RejectionReason::Challenge), and
    /// [`RetryUnauthorized`](crate::retry::RetryUnauthorized) repeats its request with the token. gRPC's `UNAUTHENTICATED` counts too. A 401 that names
    /// only other schemes, such as `Basic`, passes, and so does a 403. The grant gets the challenge with
    /// [`Context::challenge`](crate::grant::Context::challenge), and asks for its `scope` too.
    ///
    /// From then on requests carry the token, and wait for its refresh, as without this option. They do so with a token from another place too:
    /// the initial token of the grant, [`Tokens::set`](crate::Tokens::set), [`get`](crate::Tokens::get) or
    /// [`refresh`](crate::Tokens::refresh). A [store](crate::store) is read after the first 401. After
    /// [`Tokens::forget`](crate::Tokens::forget), requests are sent without a token again.
    ///
    /// During the first login, and during the back-off after it has failed, other requests are still sent without a token. A 401 during the
    /// back-off passes. If a person denied the login, each 401 passes until the application calls [`Tokens::refresh`](crate::Tokens::refresh).
    /// [`max_wait`](Self::max_wait) limits how long a repeated request waits for the login.
    ///
    /// A layer with this option needs an [`origin`](Self::origin), because otherwise any host could start a login. Without one, requests
    /// fail with [`ErrorKind::Configuration`](crate::ErrorKind::Configuration). A clone of the layer can have the option or not.
    pub fn on_challenge(self) -> Self {
        self.policy.update(|policy| policy.on_challenge = true);
        self
    }
}
