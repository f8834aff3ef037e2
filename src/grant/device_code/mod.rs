//! The device code (RFC 8628): the person logs in on another device, such as their phone.
//!
//! ```text
//!  client ── device authorization request ──▶ server     authorization.rs
//!  client ── code and address ──▶ person                 prompt.rs, terminal.rs
//!  client ── is it done? ──▶ server, again and again     heard.rs, pacing.rs
//! ```

mod authorization;
mod heard;
mod pacing;
mod prompt;
#[cfg(feature = "terminal")]
mod terminal;

use std::fmt;
use std::sync::Arc;

use http::Uri;

use self::authorization::Authorization;
use self::pacing::Pacing;
pub use self::prompt::DevicePrompt;
#[cfg(feature = "terminal")]
pub use self::terminal::terminal_prompt;
use super::Grant;
use super::common::{Common, common_options};
use super::pkce::Pkce;
use crate::client::Client;
use crate::clock;
use crate::endpoint::TokenEndpoint;
use crate::error::Error;
use crate::form::Form;
use crate::into_url::{self, IntoUrl};
use crate::token::Token;
use crate::transport::Transport;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The device authorization grant ([RFC 8628]): for programs on machines without a browser, such as a server that one logs in
/// to by ssh. The person opens an address on another device and enters a code there.
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
/// A login starts by itself for the first token. A *re*-login, when the refresh token is dead, starts when the user calls
/// [`Tokens::refresh`](crate::Tokens::refresh), or by itself with [`relogin`](Self::relogin) ([§3.1]).
///
/// The server is asked at the pace that it sets, `slow_down` is kept to, and an outage does not end the login ([§3.5]). It ends
/// with [`ErrorKind::Denied`] when the person says no, with [`ErrorKind::LoginExpired`] when the code has expired, and with the
/// server's error otherwise; after that no request asks the person again, but `Tokens::refresh` does.
///
/// # Security
///
/// A person who is sent such an address and code by somebody else logs *them* in ([§5.4]). Say in the prompt which program asks.
///
/// [`ErrorKind::Denied`]: crate::ErrorKind::Denied
/// [`ErrorKind::LoginExpired`]: crate::ErrorKind::LoginExpired
/// [RFC 8628]: https://www.rfc-editor.org/rfc/rfc8628
/// [§3.1]: https://www.rfc-editor.org/rfc/rfc8628#section-3.1
/// [§3.5]: https://www.rfc-editor.org/rfc/rfc8628#section-3.5
/// [§5.4]: https://www.rfc-editor.org/rfc/rfc8628#section-5.4
#[derive(Clone)]
pub struct DeviceCode {
    common: Common,
    device_authorization: Uri,
    prompt: Arc<dyn Fn(&DevicePrompt) + Send + Sync>,
    pkce: bool,
    relogin: bool,
}

impl DeviceCode {
    /// The grant at these endpoints, for this client. `prompt` is called once for each login and tells the person what to do; it
    /// should return soon, for the server is asked after that. The feature `terminal` has a ready-made one.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`], for both addresses;
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for [`Client::none`], for a code is given to a client.
    pub fn new(
        device_authorization_url: impl IntoUrl,
        token_url: impl IntoUrl,
        client: Client,
        prompt: impl Fn(&DevicePrompt) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::at(device_authorization_url, TokenEndpoint::new(token_url, client)?, prompt)
    }

    /// The grant at a token endpoint that was made otherwise. With [`TokenEndpoint::dangerous_cleartext`] the device
    /// authorization address may be `http://` to any machine too.
    ///
    /// # Errors
    ///
    /// As [`DeviceCode::new`].
    pub fn at(
        device_authorization_url: impl IntoUrl,
        endpoint: TokenEndpoint,
        prompt: impl Fn(&DevicePrompt) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let device_authorization = endpoint.sibling("device_authorization_url", device_authorization_url)?;
        let device_authorization = into_url::endpoint_uri("device_authorization_url", device_authorization)?;
        endpoint.client_id()?;
        let prompt = Arc::new(prompt);
        Ok(Self { common: Common::new(endpoint), device_authorization, prompt, pkce: false, relogin: false })
    }

    /// Binds the login to this program by PKCE, method `S256` ([RFC 7636]). Only some servers know it for device codes, so it is
    /// for you to ask for.
    ///
    /// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
    #[must_use]
    pub fn pkce(mut self) -> Self {
        self.pkce = true;
        self
    }

    /// Lets a request start a login when the refresh token is dead. Without it the request gets
    /// [`ErrorKind::LoginNeeded`](crate::ErrorKind::LoginNeeded).
    #[must_use]
    pub fn relogin(mut self) -> Self {
        self.relogin = true;
        self
    }

    async fn log_in(&self, http: &Transport) -> Result<Token, Error> {
        let Common { endpoint, parameters, .. } = &self.common;
        let pkce = if self.pkce { Some(Pkce::new()?) } else { None };
        let answer =
            endpoint.ask(http, &self.device_authorization, authorization::request(parameters, pkce.as_ref())).await?;
        let login = Authorization::read(answer.members).map_err(|error| error.with_status(answer.status))?;
        let pacing = Pacing::new(login.interval, login.prompt.expires_in(), clock::now());
        (self.prompt)(&login.prompt);

        let form = Form::new(GRANT_TYPE).param("device_code", login.device_code.expose());
        let form = match &pkce {
            Some(pkce) => form.param("code_verifier", pkce.verifier()),
            None => form,
        };
        self.wait(http, parameters.without_scope(form), pacing).await.map_err(Error::asked_in_vain)
    }

    /// Asks for the token until the person is done.
    async fn wait(&self, http: &Transport, form: Form, mut pacing: Pacing) -> Result<Token, Error> {
        let endpoint = &self.common.endpoint;
        let mut wait = pacing.wait(clock::now());
        loop {
            clock::sleep(wait).await;
            pacing.check(clock::now())?;
            // A question that is under way when the time passes is waited for: it may bring the token.
            wait = match endpoint.ask(http, endpoint.uri(), form.clone()).await {
                // A success that is no token ends the login: the code is spent.
                Ok(answer) => return endpoint.read(answer),
                Err(error) => pacing.after(error, clock::now())?,
            };
        }
    }
}

common_options!(DeviceCode);

impl Grant for DeviceCode {
    async fn obtain(&self, previous: Option<Token>, http: Transport) -> Result<Token, Error> {
        self.common.renew_or_log_in(previous, &http, self.relogin, || self.log_in(&http)).await
    }

    fn name(&self) -> &'static str {
        "device_code"
    }
}

impl fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceCode")
            .field("common", &self.common)
            .field("device_authorization", &self.device_authorization)
            .field("pkce", &self.pkce)
            .field("relogin", &self.relogin)
            .finish_non_exhaustive()
    }
}
