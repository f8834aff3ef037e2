//! Provides the steps of the grant, for a web application with its own redirect route.

use super::AuthorizationCode;
use super::authorization::{Authorization, Code};
use super::binding::Binding;
use super::callback::{self, Callback, Expected};
use super::expected_issuer::{ExpectedIssuer, IssuerRule};
use super::request_address;
use super::request_parameters::RequestParameters;
use crate::error::Error;
use crate::form::Form;
use crate::into_url;
use crate::secret::Secret;
use crate::token::Token;
use crate::transport::Transport;

impl AuthorizationCode {
    /// Starts a login, and returns the URL to send the user's browser to. The server redirects it back to `redirect_uri`, which is sent
    /// unchanged, here and in the exchange.
    ///
    /// Each call signs or pushes a request of its own, as the grant or the metadata of its [issuer](Self::from_issuer) requires. Without
    /// these options, nothing is sent, as with [`authorization_url`](Self::authorization_url).
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use http_body_util::Full;
    /// # use tower::service_fn;
    /// use tower_oauth2::{client::Client, grant::AuthorizationCode, transport::Transport};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_oauth2::Error> {
    /// # let http_client = service_fn(async |_: http::Request<Full<Bytes>>| {
    /// #     let body = r#"{"request_uri": "urn:example:bwc4JK-ESC0w8acc191e-Y1LTC2", "expires_in": 90}"#;
    /// #     Ok::<_, std::convert::Infallible>(http::Response::builder().status(201).body(body.to_owned()).unwrap())
    /// # });
    /// let (authorize, token) = ("https://auth.example.com/authorize", "https://auth.example.com/token");
    /// let grant = AuthorizationCode::new(authorize, token, Client::basic("my-app", "secret"))?
    ///     .pushed("https://auth.example.com/par")?;
    ///
    /// let http = Transport::new(http_client);
    /// let login = grant.begin(&http, "https://app.example.com/callback").await?;
    /// let query = "client_id=my-app&request_uri=urn%3Aexample%3Abwc4JK-ESC0w8acc191e-Y1LTC2";
    /// assert_eq!(login.url().query(), Some(query));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the redirect URI is not absolute or has a fragment, or if the
    /// audience of the request object is not known; the errors of the [`Signer`](crate::jwt::Signer). The errors of the discovery are those of
    /// [`Issuer::metadata`](crate::endpoint::Issuer::metadata), and [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) for metadata without
    /// an endpoint that the login needs, or without `S256`. The errors of a pushed request are those of
    /// [`TokenEndpoint::token`](crate::endpoint::TokenEndpoint::token).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request. The server forgets a pushed request that no browser uses.
    pub async fn begin(&self, transport: &Transport, redirect_uri: impl Into<String>) -> Result<Authorization, Error> {
        let redirect_uri = redirect_uri.into();
        let RequestParameters { form, state, verifier } = self.request_parameters(&redirect_uri)?;
        let server = self.login_server(transport).await?;
        let url = self.address(transport, &server, form).await?;
        let requires_issuer = self.issuer.is_some() || server.sends_issuer;
        Ok(Authorization { url, state, redirect_uri, verifier, requires_issuer, binding: self.binding() })
    }

    /// Starts a login as [`begin`](Self::begin) does, without the network.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the redirect URI is not absolute or has a fragment, and for a grant
    /// with an [issuer](Self::from_issuer), with [`pushed`](Self::pushed) or with a [`request_object`](Self::request_object), which needs
    /// `begin`.
    pub fn authorization_url(&self, redirect_uri: impl Into<String>) -> Result<Authorization, Error> {
        let is_plain = self.push_policy.par_endpoint.is_none() && self.request_object.is_none();
        let Some(endpoint) =
            self.authorization_url.as_ref().filter(|_| is_plain && self.config.endpoint.issuer().is_none())
        else {
            let why =
                "a login that is discovered, pushed or signed cannot be started without the network; call `begin`";
            return Err(Error::argument("authorization_url", why));
        };
        let redirect_uri = redirect_uri.into();
        let RequestParameters { form, state, verifier } = self.request_parameters(&redirect_uri)?;
        let url = request_address::plain(endpoint, &form);
        let requires_issuer = self.issuer.is_some();
        Ok(Authorization { url, state, redirect_uri, verifier, requires_issuer, binding: self.binding() })
    }

    fn request_parameters(&self, redirect_uri: &str) -> Result<RequestParameters, Error> {
        into_url::check_absolute("redirect_uri", redirect_uri)?;
        let dpop = self.config.endpoint.dpop_key();
        let parameters = &self.config.parameters;
        let request = RequestParameters::new(&self.client_id, redirect_uri, parameters, self.has_pkce, dpop)?;
        Ok(if self.asks_consent && !parameters.contains("prompt") {
            request.with("prompt", "consent")
        } else {
            request
        })
    }

    /// Checks the query of the redirect that completes `authorization`, and returns its code.
    ///
    /// ```
    /// # use tower_oauth2::{client::Client, grant::AuthorizationCode};
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// # let (authorize, token) = ("https://auth.example.com/authorize", "https://auth.example.com/token");
    /// # let grant = AuthorizationCode::new(authorize, token, Client::public("my-app"))?;
    /// let login = grant.authorization_url("https://app.example.com/callback")?;
    /// // The query of the redirect:
    /// let query = format!("code=SplxlOBeZQQYbYS6WxSbIA&state={}", login.state());
    /// let code = grant.callback(login, &query)?; // for `exchange`
    /// # let _ = code;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The login is consumed, even on errors. So find it by the `state` in the query, among the logins of the user's session: then a
    /// redirect with another `state` ends no login. Before that, respond to prefetches (`Sec-Purpose: prefetch`) with a 503.
    ///
    /// # Errors
    ///
    /// The error of the server ([`ErrorKind::Denied`](crate::ErrorKind::Denied), or another kind by its code);
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the query does not complete this login: a wrong `state` or `iss`, no
    /// code, a code with a control character, or a parameter of the protocol that appears twice;
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if a grant with another client id, token endpoint or issuer
    /// started the login.
    pub fn callback(&self, authorization: Authorization, query: &str) -> Result<Code, Error> {
        self.binding().check(&authorization.binding)?;
        match callback::read(query, &self.expected(&authorization)) {
            Callback::Code(code) => Ok(authorization.with_code(code)),
            Callback::Failed(error) => Err(error),
            Callback::Unrelated(why) => Err(Error::malformed(why)),
        }
    }

    /// Exchanges the code for a token (RFC 6749 §4.1.3).
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::token`](crate::endpoint::TokenEndpoint::token);
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the code belongs to another grant. It is not sent then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses the code, because the server may have used it already.
    pub async fn exchange(&self, http: &Transport, code: Code) -> Result<Token, Error> {
        self.binding().check(&code.binding)?;
        let form =
            Form::new("authorization_code").param("code", code.code.expose()).param("redirect_uri", &code.redirect_uri);
        let form = match &code.verifier {
            Some(verifier) => form.param("code_verifier", verifier.expose()),
            None => form,
        };
        let token = self.config.endpoint.token(http, self.config.parameters.without_scope(form)).await?;
        Ok(self.config.record_login(token))
    }

    /// Returns what the response to this login must contain.
    pub(super) fn expected(&self, login: &Authorization) -> Expected {
        let parameters = &self.config.parameters;
        let secrets = parameters.secrets().map(Secret::new).chain(parameters.resource_secrets()).collect();
        let issuer = IssuerRule {
            expected: login.binding.issuer.clone(),
            is_required: login.requires_issuer,
            server: self.config.endpoint.issuer().cloned(),
        };
        Expected { state: login.state.clone(), issuer, secrets }
    }

    fn binding(&self) -> Binding {
        Binding {
            client_id: self.client_id.clone(),
            server: self.config.endpoint.server(),
            issuer: match (&self.issuer, self.config.endpoint.issuer()) {
                (Some(issuer), _) => ExpectedIssuer::Exactly(issuer.clone()),
                (None, Some(issuer)) => ExpectedIssuer::Discovered(issuer.as_str().to_owned()),
                (None, None) => {
                    let origin = self.authorization_url.as_ref().map(|url| url.origin().ascii_serialization());
                    ExpectedIssuer::OfOrigin(origin.unwrap_or_default())
                }
            },
        }
    }
}
