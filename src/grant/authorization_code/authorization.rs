//! A pending login: the URL for the browser, and the values that complete the login after the redirect.

use std::fmt;

use url::Url;

use super::binding::Binding;
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
    /// Whether a response without `iss` belongs to another login.
    pub(super) requires_issuer: bool,
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
