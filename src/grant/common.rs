//! What all grants of this crate have in common: the token endpoint, what they can be asked to send along, and the renewal
//! by refresh token.

use super::parameters::Parameters;
use super::preset::Preset;
use crate::endpoint::TokenEndpoint;
use crate::error::{Error, ErrorKind};
use crate::form::Form;
use crate::store::Key;
use crate::token::Token;
use crate::transport::Transport;

#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) endpoint: TokenEndpoint,
    pub(super) parameters: Parameters,
    pub(super) preset: Preset,
    /// Whose token it is, where the grant itself knows.
    pub(super) subject: Option<String>,
    /// Whether the grant gets its first token again and again, with no person and no refresh token.
    pub(super) is_repeatable: bool,
}

/// How far one comes without the grant itself.
pub(super) enum Renewal {
    /// All the way.
    Token(Token),
    /// Nowhere, for there was nothing before.
    First,
    /// Nowhere: there is a token, but no refresh token.
    Impossible,
    /// The server refuses the refresh token.
    Refused(Error),
}

impl Common {
    pub(super) fn new(endpoint: TokenEndpoint) -> Self {
        Self {
            endpoint,
            parameters: Parameters::default(),
            preset: Preset::default(),
            subject: None,
            is_repeatable: false,
        }
    }

    /// What tells this grant's tokens from all others in a store.
    pub(super) fn key(&self) -> Key {
        let client = self.endpoint.client_id().unwrap_or_default();
        let key = Key::new(self.endpoint.uri().to_string(), client);
        let key = self.subject.iter().fold(key, |key, subject| key.subject(subject));
        self.parameters.distinguish(key)
    }

    /// The token that was preset, or the one that the refresh token brings (RFC 6749 §6).
    ///
    /// # Errors
    ///
    /// An outage is no refusal: it is an error, and the refresh token is kept for the next try.
    pub(super) async fn renew(&self, previous: Option<&Token>, http: &Transport) -> Result<Renewal, Error> {
        if let (None, Some(preset)) = (previous, self.preset.token())
            && !preset.is_expired(std::time::Duration::ZERO)
        {
            let preset = preset.clone();
            self.preset.set_outdated();
            return Ok(Renewal::Token(preset));
        }
        let (refresh_token, _in_the_air) = match previous {
            Some(token) => (token.refresh_token(), None),
            None => self.preset.send_refresh_token().unzip(),
        };
        let Some(refresh_token) = refresh_token else {
            return Ok(if previous.is_some() { Renewal::Impossible } else { Renewal::First });
        };
        let form = self.parameters.without_scope(Form::new("refresh_token").param("refresh_token", refresh_token));
        match self.endpoint.token(http, form).await {
            Ok(token) => {
                let token = match previous.or(self.preset.token()) {
                    Some(previous) => token.keeping(previous),
                    None if token.refresh_token().is_none() => token.with_refresh_token(refresh_token),
                    None => token,
                };
                self.preset.set_outdated();
                Ok(Renewal::Token(token))
            }
            Err(refused) if refused.kind() == ErrorKind::InvalidGrant => {
                self.preset.set_outdated();
                Ok(Renewal::Refused(refused))
            }
            // Real servers refuse a dead refresh token as `invalid_request`, or with an empty 400 or 403.
            Err(refused) if refused.kind() == ErrorKind::RequestRejected => Ok(Renewal::Refused(refused)),
            Err(error) => Err(error),
        }
    }

    /// Renews, or else does what needs no person: `grant_itself`.
    pub(super) async fn renew_or<Fut>(
        &self,
        previous: Option<Token>,
        http: &Transport,
        grant_itself: impl FnOnce() -> Fut,
    ) -> Result<Token, Error>
    where
        Fut: Future<Output = Result<Token, Error>>,
    {
        match self.renew(previous.as_ref(), http).await? {
            Renewal::Token(token) => Ok(token),
            Renewal::First | Renewal::Impossible => grant_itself().await,
            Renewal::Refused(refused) => grant_itself().await.map_err(|error| error.after(&refused)),
        }
    }

    /// Renews, or else asks a person, if they may be asked: `login`. They may for the first token, and when the user said so,
    /// now or when the grant was built (RFC 8628 §3.1); but not while there is a token that serves.
    pub(super) async fn renew_or_log_in<Fut>(
        &self,
        previous: Option<Token>,
        http: &Transport,
        relogin: bool,
        login: impl FnOnce() -> Fut,
    ) -> Result<Token, Error>
    where
        Fut: Future<Output = Result<Token, Error>>,
    {
        let may_ask = (relogin && !http.is_ahead()) || http.is_asked_for();
        match self.renew(previous.as_ref(), http).await? {
            Renewal::Token(token) => Ok(token),
            Renewal::First => login().await,
            Renewal::Impossible if may_ask => login().await,
            Renewal::Impossible => Err(Error::new(ErrorKind::LoginNeeded, "there is no refresh token")),
            Renewal::Refused(refused) if may_ask => login().await.map_err(|error| error.after(&refused)),
            Renewal::Refused(refused) => Err(login_needed(refused)),
        }
    }
}

/// The refresh token was refused, and what would follow is not for us to begin.
pub(super) fn login_needed(refused: Error) -> Error {
    Error::caused_by(ErrorKind::LoginNeeded, refused.clone()).citing(&refused).after(&refused)
}

/// The options that every grant has: written once, for each grant to have as methods of its own.
macro_rules! common_options {
    ($grant:ident) => {
        impl $grant {
            /// The scope to ask for: names with blanks between ([RFC 6749 §3.3]). Without any, the server chooses.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it holds a character that no scope may
            /// have.
            ///
            /// [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
            pub fn scope(mut self, scope: impl Into<String>) -> Result<Self, crate::Error> {
                self.common.parameters.set_scope(&scope.into())?;
                Ok(self)
            }

            /// A further parameter of every request to the server's endpoints, such as `audience`.
            ///
            /// A parameter that the grant sends itself, such as `scope` or `client_id`, is neither replaced nor sent twice.
            #[must_use]
            pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.common.parameters.add(name, value);
                self
            }

            /// The API that the token is for ([RFC 8707]); may be given several times.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is no absolute URI, or has a fragment.
            ///
            /// [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707#section-2
            pub fn resource(mut self, uri: impl Into<String>) -> Result<Self, crate::Error> {
                self.common.parameters.add_resource(uri)?;
                Ok(self)
            }

            /// Begins with this token, such as one that was stored, rather than with a token call. If it has expired, its
            /// refresh token is used; without one it counts as none.
            #[must_use]
            pub fn token(mut self, token: crate::Token) -> Self {
                self.common.preset.set_token(token);
                self
            }

            /// Keeps the token in a store, to outlive the process and to be shared by several: see
            /// [`Persisted`](crate::grant::Persisted).
            ///
            /// The grant is to be complete by now: the entry is named after its token endpoint, client, scope, resources and
            /// parameters.
            pub fn persisted<S: crate::store::TokenStore>(self, store: S) -> crate::grant::Persisted<Self, S> {
                let (key, is_repeatable) = (self.common.key(), self.common.is_repeatable);
                let persisted = crate::grant::Persisted::new(self, store, key);
                if is_repeatable { persisted.renew_without_store() } else { persisted }
            }

            /// A header of every request to the server's endpoints, such as an API key: see
            /// [`TokenEndpoint::header`](crate::endpoint::TokenEndpoint::header).
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when no header can have that name or value.
            pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Result<Self, crate::Error> {
                self.common.endpoint = self.common.endpoint.header(name, value)?;
                Ok(self)
            }

            /// A `token_type` of the server's own that means Bearer: see
            /// [`TokenEndpoint::bearer_type`](crate::endpoint::TokenEndpoint::bearer_type).
            #[must_use]
            pub fn bearer_type(mut self, token_type: impl Into<String>) -> Self {
                self.common.endpoint = self.common.endpoint.bearer_type(token_type);
                self
            }
        }
    };
}

pub(super) use common_options;
