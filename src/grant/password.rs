//! The resource owner's password (RFC 6749 §4.3), which RFC 9700 forbids.

use std::fmt;

use super::Grant;
use super::common::{Common, common_options};
use crate::client::Client;
use crate::endpoint::TokenEndpoint;
use crate::error::Error;
use crate::form::Form;
use crate::into_url::IntoUrl;
use crate::secret::Secret;
use crate::token::Token;
use crate::transport::Transport;

/// The resource owner password credentials grant ([RFC 6749 §4.3]), which **must not be used** ([RFC 9700 §2.4]): the program
/// sees the person's password, which trains people to type it into programs, and rules out a second factor.
///
/// It is here for servers that offer nothing else. Where there is a choice, take the authorization code or the device code.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::Password};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let client = Client::public("id");
/// let grant = Password::new("https://auth.example.com/token", client, "alice", "correct horse battery staple")?;
/// let layer = OAuth2Layer::new(grant);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// A refresh token that comes along is used; when it is refused, the password is sent again.
///
/// # Security
///
/// The password is kept in memory as long as the grant, and wiped with it.
///
/// [RFC 6749 §4.3]: https://www.rfc-editor.org/rfc/rfc6749#section-4.3
/// [RFC 9700 §2.4]: https://www.rfc-editor.org/rfc/rfc9700#section-2.4
#[derive(Clone)]
pub struct Password {
    common: Common,
    username: String,
    password: Secret,
}

impl Password {
    /// The grant at this token endpoint, for this client and person. An empty password is sent as such.
    ///
    /// # Errors
    ///
    /// As [`TokenEndpoint::new`].
    pub fn new(
        token_url: impl IntoUrl,
        client: Client,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, Error> {
        Ok(Self::at(TokenEndpoint::new(token_url, client)?, username, password))
    }

    /// The grant at an endpoint that was made otherwise, such as with [`TokenEndpoint::dangerous_cleartext`].
    pub fn at(endpoint: TokenEndpoint, username: impl Into<String>, password: impl Into<String>) -> Self {
        let (username, mut common) = (username.into(), Common::new(endpoint));
        common.subject = Some(username.clone());
        common.is_repeatable = true;
        Self { common, username, password: Secret::new(password) }
    }
}

common_options!(Password);

impl Grant for Password {
    async fn obtain(&self, previous: Option<Token>, http: Transport) -> Result<Token, Error> {
        let grant_itself = || {
            let form =
                Form::new("password").param("username", &self.username).param("password", self.password.expose());
            self.common.endpoint.token(&http, self.common.parameters.with_scope(form))
        };
        self.common.renew_or(previous, &http, grant_itself).await
    }

    fn name(&self) -> &'static str {
        "password"
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password")
            .field("common", &self.common)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
