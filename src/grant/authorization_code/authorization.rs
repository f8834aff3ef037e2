//! The authorization request (RFC 6749 §4.1.1): the URL for the browser, and the state of the login until the redirect.

use std::fmt;

use url::Url;

use super::binding::Binding;
use super::callback::Expected;
use crate::error::Error;
use crate::form::Form;
use crate::grant::parameters::Parameters;
use crate::grant::pkce::Pkce;
use crate::into_url;
use crate::random;
use crate::secret::Secret;

/// A pending login: the URL to send the user's browser to, and the values that complete the login after the redirect.
///
/// Keep it in the session of this user, and pass it to [`callback`](crate::grant::AuthorizationCode::callback), which consumes it,
/// because a PKCE verifier is used once.
///
/// It can be serialized, so that another replica of a web application than the one that started the login can complete it:
///
/// ```
/// use tower_oauth2::{client::Client, grant::{Authorization, AuthorizationCode}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (authorize, token) = ("https://auth.example.com/authorize", "https://auth.example.com/token");
/// let grant = AuthorizationCode::new(authorize, token, Client::public("my-app"))?;
/// let session = serde_json::to_string(&grant.authorization_url("https://app.example.com/callback")?)?;
///
/// let login: Authorization = serde_json::from_str(&session)?;
/// let query = format!("code=SplxlOBeZQQYbYS6WxSbIA&state={}", login.state());
/// assert!(grant.callback(login, &query).is_ok());
///
/// // Only a grant with the same settings as the one that started the login can complete it.
/// let login: Authorization = serde_json::from_str(&session)?;
/// let other = AuthorizationCode::new(authorize, token, Client::public("another-app"))?;
/// assert!(other.callback(login, &query).is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Security
///
/// The serialized form contains the `state` and the PKCE verifier in plain text. An attacker who can read it and intercepts the code
/// can complete the login. An attacker who can write it can inject another login. Keep it in the server's session store, or in a cookie
/// that is encrypted and authenticated. `Debug` prints neither of the two.
pub struct Authorization {
    pub(super) url: Url,
    pub(super) state: Secret,
    pub(super) redirect_uri: String,
    /// `None` without PKCE.
    pub(super) verifier: Option<Secret>,
    pub(super) binding: Binding,
}

impl Authorization {
    /// Returns the URL to send the user's browser to.
    ///
    /// # Security
    ///
    /// It contains the [`state`](Self::state). If it is an argument of a command, such as one that opens a browser, other users of the
    /// machine can see it.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the `state`, which the redirect repeats: a key to find this login by.
    ///
    /// # Security
    ///
    /// The `state` does not prove which browser sends it. Bind the login to the browser that started it, with a session cookie.
    pub fn state(&self) -> &str {
        self.state.expose()
    }

    /// Builds the request. The query of the endpoint's URL is kept, except for parameters of the protocol.
    pub(super) fn new(
        endpoint: &Url,
        redirect_uri: String,
        parameters: &Parameters,
        has_pkce: bool,
        binding: Binding,
    ) -> Result<Self, Error> {
        let (pkce, state) = (if has_pkce { Some(Pkce::new()?) } else { None }, random::text()?);
        let ours = Form::without_grant_type()
            .param("response_type", "code")
            .param("client_id", &binding.client_id)
            .param("redirect_uri", &redirect_uri)
            .param("state", state.as_str());
        let ours = match &pkce {
            Some(pkce) => ours.param("code_challenge", pkce.challenge()).param("code_challenge_method", "S256"),
            None => ours,
        };
        let ours = parameters.with_scope(ours);
        let theirs: Vec<(String, String)> =
            endpoint.query_pairs().into_owned().filter(|(name, _)| !ours.has(name)).collect();
        let mut url = endpoint.clone();
        let theirs = theirs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        into_url::set_query(&mut url, theirs.chain(ours.pairs()));
        let verifier = pkce.map(|pkce| Secret::new(pkce.verifier()));
        Ok(Self { url, state: Secret::new(state.as_str()), redirect_uri, verifier, binding })
    }

    pub(super) fn expected(&self) -> Expected {
        Expected { state: self.state.clone(), issuer: self.binding.issuer.clone() }
    }

    pub(super) fn with_code(self, code: Secret) -> Code {
        Code { code, redirect_uri: self.redirect_uri, verifier: self.verifier, binding: self.binding }
    }
}

/// The URL is not printed, because it contains the state.
impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("redirect_uri", &self.redirect_uri)
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}

/// An authorization code with the values that its exchange needs. [`exchange`](crate::grant::AuthorizationCode::exchange) consumes it.
pub struct Code {
    pub(super) code: Secret,
    pub(super) redirect_uri: String,
    pub(super) verifier: Option<Secret>,
    pub(super) binding: Binding,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("redirect_uri", &self.redirect_uri)
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}
