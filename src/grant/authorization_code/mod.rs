//! Authorization code with PKCE (RFC 6749 §4.1, RFC 7636): a person logs in at the server, in their own browser.

mod callback;
#[cfg(feature = "loopback")]
mod listener;
#[cfg(feature = "loopback")]
mod login;
#[cfg(feature = "loopback")]
mod loopback;
#[cfg(feature = "loopback")]
mod page;
mod request;

use std::fmt;

use url::Url;

pub use self::request::{Authorization, Code};

use self::callback::Callback;
use super::common::{Common, common_options};
use crate::client::Client;
use crate::endpoint::TokenEndpoint;
use crate::error::Error;
use crate::form::Form;
use crate::into_url::{self, IntoUrl};
use crate::token::Token;
use crate::transport::Transport;

/// The authorization code grant with PKCE ([RFC 6749 §4.1], [RFC 7636], [RFC 8252], [RFC 9207]).
///
/// As a grant of a layer it is for programs on the person's own machine (feature `loopback`): it opens their browser, listens
/// on a loopback address for the redirect, and exchanges the code. A web application has a redirect route of its own, and
/// uses the pieces: [`authorization_url`](Self::authorization_url), [`callback`](Self::callback),
/// [`exchange`](Self::exchange).
///
/// ```
/// use tower_oauth2::{client::Client, grant::AuthorizationCode};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let client = Client::public("my-app");
/// let grant = AuthorizationCode::new("https://auth.example.com/authorize", "https://auth.example.com/token", client)?
///     .scope("openid profile")?
///     .param("prompt", "login");
///
/// let login = grant.authorization_url("https://app.example.com/callback")?;
/// assert!(login.url().as_str().contains("code_challenge_method=S256"));
/// # Ok(())
/// # }
/// ```
///
/// A login starts by itself for the first token. A *re*-login, when the refresh token is dead, starts when the user calls
/// [`Tokens::refresh`](crate::Tokens::refresh), or by itself with `relogin`.
///
/// [RFC 6749 §4.1]: https://www.rfc-editor.org/rfc/rfc6749#section-4.1
/// [RFC 7636]: https://www.rfc-editor.org/rfc/rfc7636
/// [RFC 8252]: https://www.rfc-editor.org/rfc/rfc8252
/// [RFC 9207]: https://www.rfc-editor.org/rfc/rfc9207
#[derive(Clone)]
pub struct AuthorizationCode {
    common: Common,
    authorization_url: Url,
    client_id: String,
    issuer: Option<String>,
    #[cfg(feature = "loopback")]
    loopback: loopback::Loopback,
}

impl AuthorizationCode {
    /// The grant at these endpoints, for this client, public or confidential.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`], for both addresses; [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for [`Client::none`], for a code is given
    /// to a client.
    pub fn new(authorization_url: impl IntoUrl, token_url: impl IntoUrl, client: Client) -> Result<Self, Error> {
        Self::at(authorization_url, TokenEndpoint::new(token_url, client)?)
    }

    /// The grant at a token endpoint that was made otherwise. With [`TokenEndpoint::dangerous_cleartext`] the authorization
    /// address may be `http://` to any machine too.
    ///
    /// # Errors
    ///
    /// As [`AuthorizationCode::new`].
    pub fn at(authorization_url: impl IntoUrl, endpoint: TokenEndpoint) -> Result<Self, Error> {
        let authorization_url = endpoint.sibling("authorization_url", authorization_url)?;
        let client_id = endpoint.client_id()?.to_owned();
        Ok(Self {
            common: Common::new(endpoint),
            authorization_url,
            client_id,
            issuer: None,
            #[cfg(feature = "loopback")]
            loopback: loopback::Loopback::default(),
        })
    }

    /// The issuer identifier of the authorization server, which it must name in each answer ([RFC 9207]). Only for servers that
    /// do so: an answer without it, a refusal too, is then taken for somebody else's.
    ///
    /// Without it, an `iss` that comes along must be of the origin of the authorization endpoint.
    ///
    /// [RFC 9207]: https://www.rfc-editor.org/rfc/rfc9207#section-2.4
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Begins a login: where to send the person, who comes back to `redirect_uri`. It is sent as it is written, here and in
    /// the exchange.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the redirect URI is not absolute or has a fragment.
    pub fn authorization_url(&self, redirect_uri: impl Into<String>) -> Result<Authorization, Error> {
        let redirect_uri = redirect_uri.into();
        into_url::check_absolute("redirect_uri", &redirect_uri)?;
        let parameters = &self.common.parameters;
        Authorization::new(&self.authorization_url, &self.client_id, redirect_uri, parameters, self.issuer.as_deref())
    }

    /// Reads the query of the redirect that ends `authorization`: the code, if it is the answer to that request.
    ///
    /// ```
    /// # use tower_oauth2::{client::Client, grant::AuthorizationCode};
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// # let (authorize, token) = ("https://auth.example.com/authorize", "https://auth.example.com/token");
    /// # let grant = AuthorizationCode::new(authorize, token, Client::public("my-app"))?;
    /// let login = grant.authorization_url("https://app.example.com/callback")?;
    /// // What the person comes back with:
    /// let query = format!("code=SplxlOBeZQQYbYS6WxSbIA&state={}", login.state());
    /// let code = grant.callback(login, &query)?; // for `exchange`
    /// # let _ = code;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The login is used up, whatever comes of it: look it up by the `state` in the query, among those of this person's session,
    /// and a stray redirect ends nobody's login.
    ///
    /// # Errors
    ///
    /// What the server said ([`ErrorKind::Denied`](crate::ErrorKind::Denied), or another kind by its code); [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) when it is not the
    /// answer to this login: a wrong `state` or `iss`, no code, or a parameter that stands twice.
    pub fn callback(&self, authorization: Authorization, query: &str) -> Result<Code, Error> {
        match callback::read(query, &authorization.expected) {
            Callback::Code(code) => Ok(authorization.with_code(code)),
            Callback::Refused(error) => Err(error),
            Callback::Foreign(why) => Err(Error::malformed(why)),
        }
    }

    /// Exchanges the code for a token (RFC 6749 §4.1.3).
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::token`].
    ///
    /// # Panics
    ///
    /// As [`Transport::send`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses the code: the server may have spent it.
    pub async fn exchange(&self, http: &Transport, code: Code) -> Result<Token, Error> {
        let form = Form::new("authorization_code")
            .param("code", code.code.expose())
            .param("redirect_uri", &code.redirect_uri)
            .param("code_verifier", code.pkce.verifier());
        self.common.endpoint.token(http, self.common.parameters.without_scope(form)).await
    }
}

common_options!(AuthorizationCode);

impl Authorization {
    fn with_code(self, code: crate::secret::Secret) -> Code {
        Code { code, redirect_uri: self.redirect_uri, pkce: self.pkce }
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationCode")
            .field("common", &self.common)
            .field("authorization_url", &self.authorization_url.as_str())
            .finish_non_exhaustive()
    }
}
