//! The options of an endpoint for servers that deviate from the standard.

use bytes::Bytes;
use http::{Request, Response};

use super::dead_refresh_token::DeadWhen;
use super::token_endpoint::TokenEndpoint;
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;

impl TokenEndpoint {
    /// Adds the options of another endpoint that this one lacks, but for its key. Its functions are called after those of this endpoint.
    pub(crate) fn with_options_of(mut self, other: &Self) -> Self {
        for name in other.headers.keys().filter(|name| !self.headers.contains_key(*name)).cloned().collect::<Vec<_>>() {
            for value in other.headers.get_all(&name) {
                self.headers.append(&name, value.clone());
            }
        }
        self.bearer_types.extend(other.bearer_types.iter().cloned());
        self.ignore_zero_lifetime |= other.ignore_zero_lifetime;
        self.hooks.extend(&other.hooks);
        self.dead_when = self.dead_when.or(&other.dead_when);
        self
    }

    /// Adds a nonstandard `token_type` that means Bearer, such as eBay's `Application Access Token`. `DPoP` never means Bearer.
    #[must_use]
    pub fn bearer_type(mut self, token_type: impl Into<String>) -> Self {
        self.bearer_types.push(token_type.into());
        self
    }

    /// Sets a predicate that decides from the error of a refresh whether the refresh token is permanently invalid. If it returns `true`,
    /// the refresh token is dropped. The default is `true` for `invalid_grant` ([RFC 6749 §5.2]).
    ///
    /// Some servers respond with `invalid_grant` temporarily, and accept the same refresh token later: Entra ID with `AADSTS50196` if a
    /// client sends too many requests, and Salesforce if it receives the same refresh token twice at once. If `decide` returns `false`
    /// for `invalid_grant`, the error becomes [`ErrorKind::Overloaded`], and the refresh token is sent again after the back-off.
    ///
    /// Other servers reject an invalid refresh token with a nonstandard error, or with a status only. If `decide` returns `true` for such
    /// an error, the refresh token is not sent again. A grant that does not need the user then obtains a token without the refresh token;
    /// other grants require a login.
    ///
    /// `decide` is called for errors that the server sent about the request: [`ErrorKind::InvalidGrant`],
    /// [`ErrorKind::RequestRejected`], [`ErrorKind::ClientRejected`] and [`ErrorKind::NotOAuth`]. It is not called in an outage.
    ///
    /// ```
    /// use tower_oauth2::{Error, ErrorKind, client::Client, endpoint::TokenEndpoint, error::OAuthError};
    ///
    /// fn is_dead(error: &Error) -> bool {
    ///     let contains = |text| error.oauth().and_then(OAuthError::description).is_some_and(|d| d.contains(text));
    ///     // Entra ID: "AADSTS50196: The server terminated an operation because it encountered a client request loop."
    ///     // Salesforce, if another refresh is running: "token request is already being processed".
    ///     error.kind() == ErrorKind::InvalidGrant && !contains("AADSTS50196") && !contains("already being processed")
    /// }
    ///
    /// # fn main() -> Result<(), Error> {
    /// let endpoint = TokenEndpoint::new("https://auth.example.com/token", Client::public("id"))?
    ///     .refresh_token_dead_when(is_dead);
    /// # let _ = endpoint;
    /// let error = |description| {
    ///     let oauth = OAuthError::new("invalid_grant").with_description(description);
    ///     Error::caused_by(ErrorKind::InvalidGrant, "a refresh").with_oauth(oauth)
    /// };
    /// assert!(is_dead(&error("AADSTS70008: The refresh token has expired due to inactivity.")));
    /// assert!(!is_dead(&error("AADSTS50196: The server terminated an operation.")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [RFC 6749 §5.2]: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
    #[must_use]
    pub fn refresh_token_dead_when(mut self, decide: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.dead_when = DeadWhen::new(decide);
        self
    }

    /// Treats a lifetime of zero or less as unknown. Some servers send `"expires_in": 0` or `-1` for a token that never expires.
    ///
    /// Without this option, such a token has expired when it arrives. With this option, the layer's
    /// [`default_lifetime`](crate::OAuth2Layer::default_lifetime) applies, as for a response without `expires_in`.
    ///
    /// ```
    /// # use tower::service_fn;
    /// use tower_oauth2::{client::Client, endpoint::TokenEndpoint, form::Form, transport::Transport};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_oauth2::Error> {
    /// # let http = Transport::new(service_fn(async |_: http::Request<bytes::Bytes>| {
    /// #     Ok::<_, std::convert::Infallible>(http::Response::new(r#"{"access_token": "a", "expires_in": 0}"#.to_owned()))
    /// # }));
    /// let endpoint = TokenEndpoint::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
    /// let endpoint = endpoint.ignore_zero_lifetime();
    /// // The response is `{"access_token": "a", "expires_in": 0}`.
    /// let token = endpoint.token(&http, Form::new("client_credentials")).await?;
    /// assert_eq!(token.expires_at(), None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn ignore_zero_lifetime(mut self) -> Self {
        self.ignore_zero_lifetime = true;
        self
    }

    /// Changes each request before it is sent, for a server with a nonstandard protocol: parameters with other names, a JSON body.
    ///
    /// The function receives the complete request, with all headers and the client's authentication, and returns the request to send. It
    /// applies to every request to the server's endpoints, including the device authorization request and the polling of a device login.
    /// Several functions are applied in the order in which they were added. Keep the function short, because it blocks the refresh task.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::HeaderValue;
    /// use tower_oauth2::{client::Client, endpoint::TokenEndpoint};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let endpoint = TokenEndpoint::new("https://auth.example.com/token", Client::post("id", "secret"))?
    ///     .map_request(|mut request| {
    ///         // The server accepts JSON instead of forms.
    ///         let form = url::form_urlencoded::parse(request.body()).into_owned();
    ///         let json: serde_json::Map<_, _> = form.map(|(name, value)| (name, value.into())).collect();
    ///         let json = Bytes::from(serde_json::Value::from(json).to_string());
    ///         *request.body_mut() = json;
    ///         request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    ///         request
    ///     });
    /// # let _ = endpoint;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The function may change the path and the query of the address. If the scheme, the host or the port differs from the endpoint's, the
    /// request is not sent. The error is [`ErrorKind::Cleartext`] for an `http` address, and [`ErrorKind::Configuration`] otherwise.
    ///
    /// # Panics
    ///
    /// A panic in the function becomes [`ErrorKind::Panicked`].
    ///
    /// # Security
    ///
    /// The request contains the client secret and the refresh token. No error repeats what the function adds to headers and body. The
    /// errors of an HTTP client may contain the address, so do not add a secret to its query.
    #[must_use]
    pub fn map_request(mut self, map: impl Fn(Request<Bytes>) -> Request<Bytes> + Send + Sync + 'static) -> Self {
        self.hooks.add_request(map);
        self
    }

    /// Changes each response before it is parsed, for a server with nonstandard responses: a token inside another object, a lifetime in
    /// milliseconds, an error with status 200.
    ///
    /// The function receives every response of the server's endpoints, including errors and the response to a device authorization request.
    /// The body is complete and decoded: if it was compressed, `Content-Encoding` and `Content-Length` are removed. The function is not
    /// called for a body that cannot be decoded. Several functions are applied in the order in which they were added.
    ///
    /// ```
    /// use tower_oauth2::{client::Client, endpoint::TokenEndpoint};
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let endpoint = TokenEndpoint::new("https://auth.example.com/token", Client::post("id", "secret"))?
    ///     .map_response(|response| {
    ///         // {"status": 0, "data": {"access_token": "a"}}
    ///         response.map(|body| match serde_json::from_slice::<serde_json::Value>(&body) {
    ///             Ok(json) if json["data"].is_object() => json["data"].to_string().into(),
    ///             _ => body,
    ///         })
    ///     });
    /// # let _ = endpoint;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The returned response is parsed like a response of the server: an `error` in the body is an error, and the status determines its
    /// kind.
    ///
    /// # Panics
    ///
    /// A panic in the function becomes [`ErrorKind::Panicked`]. The response is lost then, and so is a rotated refresh token in it. Return
    /// responses that the function does not recognize unchanged.
    ///
    /// # Security
    ///
    /// The response contains the tokens, so do not log it.
    #[must_use]
    pub fn map_response(mut self, map: impl Fn(Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static) -> Self {
        self.hooks.add_response(map);
        self
    }
}
