//! Implements the device authorization grant (RFC 8628): the user logs in on another device, such as their phone.
//!
//! ```text
//!  client ── device authorization request ──▶ server     device_authorization.rs
//!  client ── code and URL ──▶ user                       prompt.rs, outcome.rs, terminal/
//!  client ── poll, repeatedly ──▶ server                 poll_response.rs, pacing.rs, running_logins.rs
//! ```

mod device_authorization;
mod outcome;
mod pacing;
mod poll_response;
mod prompt;
mod running_logins;
#[cfg(feature = "terminal")]
mod terminal;

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use self::device_authorization::DeviceAuthorization;
pub use self::outcome::DeviceOutcome;
use self::pacing::Pacing;
pub use self::prompt::DevicePrompt;
use self::running_logins::{RunningLogins, until_replaced};
#[cfg(feature = "terminal")]
pub use self::terminal::terminal_prompt;
use super::config::GrantConfig;
use super::grant_options::grant_options;
use super::login_policy::{LoginPolicy, login_options};
use super::pkce::Pkce;
use super::{Context, Grant};
use crate::client::Client;
use crate::clock;
use crate::dpop::Dpop;
use crate::endpoint::{Address, EndpointMember, IntoIssuer, TokenEndpoint};
use crate::error::{Error, ErrorKind};
use crate::form::Form;
use crate::into_url::{self, IntoUrl};
use crate::token::Token;
use crate::transport::Transport;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The device authorization grant ([RFC 8628]), for programs on machines without a browser, such as a server that is used over SSH.
/// The user opens a URL on another device and enters a code there.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::DeviceCode};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let (device_url, token_url) = ("https://auth.example.com/device", "https://auth.example.com/token");
/// let grant = DeviceCode::new(device_url, token_url, Client::public("id"), |prompt| {
///     println!("Open {} and enter {}", prompt.verification_uri(), prompt.user_code());
/// })?
/// .scope("read offline_access")?;
/// let layer = OAuth2Layer::new(grant);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// A request starts a login for the first token only. When the refresh token is dead, another login starts when the application calls
/// [`Tokens::refresh`](crate::Tokens::refresh), or with the next request if [`relogin(true)`](Self::relogin) is set ([§3.1]). With
/// [`login_on_request(false)`](Self::login_on_request), only `Tokens::refresh` starts a login.
///
/// The grant polls the server at the interval that the server sets, slows down after `slow_down`, and goes on polling during an outage
/// ([§3.5]). The login fails with [`ErrorKind::Denied`] if the user denies it, with [`ErrorKind::LoginExpired`] if the code expires, and
/// with the error of the server otherwise. After that, no request starts another login, but `Tokens::refresh` does.
///
/// # Security
///
/// An attacker can send their URL and code to a user, who then logs the *attacker* in ([§5.4]). Name the program in the prompt.
///
/// [`ErrorKind::Denied`]: crate::ErrorKind::Denied
/// [`ErrorKind::LoginExpired`]: crate::ErrorKind::LoginExpired
/// [RFC 8628]: https://www.rfc-editor.org/rfc/rfc8628
/// [§3.1]: https://www.rfc-editor.org/rfc/rfc8628#section-3.1
/// [§3.5]: https://www.rfc-editor.org/rfc/rfc8628#section-3.5
/// [§5.4]: https://www.rfc-editor.org/rfc/rfc8628#section-5.4
#[derive(Clone)]
pub struct DeviceCode {
    config: GrantConfig,
    device_authorization: Address,
    prompt: Arc<dyn Fn(&DevicePrompt) + Send + Sync>,
    pkce: bool,
    logins: LoginPolicy,
    running: Arc<RunningLogins>,
}

impl DeviceCode {
    /// Creates the grant for these endpoints and a client. `prompt` is called once per login, and shows the user what to do. It must
    /// return soon, because polling starts after it, and it blocks the task that it runs in. The [`DevicePrompt`] can be cloned and
    /// kept: it also has the time left and the outcome of the login. The feature `terminal` has a
    /// [prompt for terminals](crate::docs::grants#a-login-on-another-device).
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`], for both URLs. [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for [`Client::none`], because
    /// a code is issued to a client.
    pub fn new(
        device_authorization_url: impl IntoUrl,
        token_url: impl IntoUrl,
        client: Client,
        prompt: impl Fn(&DevicePrompt) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::from_endpoint(device_authorization_url, TokenEndpoint::new(token_url, client)?, prompt)
    }

    /// Creates the grant for the server with this issuer identifier, whose endpoints are discovered with the first token request: see
    /// [`Issuer`](crate::endpoint::Issuer).
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::discover`]. [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for [`Client::none`].
    pub fn from_issuer(
        issuer: impl IntoIssuer,
        client: Client,
        prompt: impl Fn(&DevicePrompt) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let endpoint = TokenEndpoint::discover(issuer, client)?;
        Self::build(Address::Discovered(EndpointMember::DeviceAuthorization), endpoint, prompt)
    }

    /// Creates the grant from a token endpoint. With [`TokenEndpoint::dangerous_cleartext`], the device authorization URL may be
    /// `http://` to any host too.
    ///
    /// # Errors
    ///
    /// As [`DeviceCode::new`].
    pub fn from_endpoint(
        device_authorization_url: impl IntoUrl,
        endpoint: TokenEndpoint,
        prompt: impl Fn(&DevicePrompt) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let device_authorization = endpoint.related_endpoint("device_authorization_url", device_authorization_url)?;
        let device_authorization = into_url::endpoint_uri("device_authorization_url", device_authorization)?;
        Self::build(Address::Fixed(device_authorization), endpoint, prompt)
    }

    fn build(
        device_authorization: Address,
        endpoint: TokenEndpoint,
        prompt: impl Fn(&DevicePrompt) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        endpoint.client_id()?;
        let prompt = Arc::new(prompt);
        Ok(Self {
            config: GrantConfig::new(endpoint),
            device_authorization,
            prompt,
            pkce: false,
            logins: LoginPolicy::default(),
            running: Arc::default(),
        })
    }

    /// Enables PKCE with the method `S256` ([RFC 7636]), which binds the login to this program. It is disabled by default, because only
    /// some servers support it for device codes.
    ///
    /// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
    #[doc(alias = "PKCE")]
    #[must_use]
    pub fn pkce(mut self) -> Self {
        self.pkce = true;
        self
    }

    async fn log_in(&self, cx: &Context) -> Result<Token, Error> {
        let http = cx.transport();
        let GrantConfig { endpoint, parameters, .. } = &self.config;
        let pkce = if self.pkce { Some(Pkce::new()?) } else { None };
        // Before the prompt, so that an earlier prompt ends first.
        let replaced = self.running.start(cx);
        let response = endpoint
            .post(http, &self.device_authorization, device_authorization::request(parameters, pkce.as_ref()))
            .await?;
        let login = DeviceAuthorization::read(response.members)
            .map_err(|error| error.with_status(response.status).with_endpoint(&response.uri))?;
        let pacing = Pacing::new(login.interval, login.prompt.expires_in(), clock::now());
        cx.extend_stall_timeout(login.prompt.expires_in());
        (self.prompt)(&login.prompt);

        let form = Form::new(GRANT_TYPE).param("device_code", login.device_code.expose());
        let form = match &pkce {
            Some(pkce) => form.param("code_verifier", pkce.verifier()),
            None => form,
        };
        let polls = self.poll_token(http, parameters.without_scope(form), pacing);
        let Some(outcome) = until_replaced(polls, replaced).await else {
            return Err(Error::new(ErrorKind::Timeout, "a newer login has replaced this one"));
        };
        let outcome = outcome.map_err(Error::with_failed_login);
        login.guard.end(&outcome);
        outcome
    }

    /// Polls the server until the login ends.
    async fn poll_token(&self, http: &Transport, form: Form, mut pacing: Pacing) -> Result<Token, Error> {
        let endpoint = &self.config.endpoint;
        let mut wait = pacing.delay(clock::now());
        loop {
            clock::sleep(wait).await;
            pacing.check_expiry(clock::now())?;
            // A poll that is running when the code expires is not cancelled, because its response may contain the token.
            let response = endpoint.post_with_proof(http, endpoint.address(), || ready(Ok(form.clone()))).await;
            wait = match response {
                // A successful response without a token ends the login, because the device code is used up.
                Ok(response) => return endpoint.token_from(response),
                Err(error) => pacing.delay_after(error, clock::now())?,
            };
        }
    }
}

grant_options!(DeviceCode);
login_options!(DeviceCode);

impl Grant for DeviceCode {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        let this = Self { config: self.config.for_call(&cx), ..self.clone() };
        self.config.refresh_or_log_in(&cx, self.logins, || this.log_in(&cx)).await
    }

    fn name(&self) -> &'static str {
        "device_code"
    }

    fn initial_token(&self) -> Option<Token> {
        self.config.initial.token()
    }

    fn dpop(&self) -> Option<Dpop> {
        self.config.endpoint.dpop_key().cloned()
    }
}

impl fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceCode")
            .field("config", &self.config)
            .field("device_authorization", &self.device_authorization)
            .field("pkce", &self.pkce)
            .field("logins", &self.logins)
            .finish_non_exhaustive()
    }
}
