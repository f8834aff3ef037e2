//! The configuration that all grants of this crate share: the token endpoint, parameters, and the refresh with a refresh token.

use std::borrow::Cow;

use http::StatusCode;

use super::initial::InitialToken;
use super::login_policy::LoginPolicy;
use super::parameters::Parameters;
use super::resource_needs::ResourceOptions;
use super::{Context, Reason};
use crate::challenge::Demand;
use crate::clock;
use crate::endpoint::{ResourceId, TokenEndpoint};
use crate::error::{Error, ErrorKind};
use crate::form::Form;
use crate::store::Key;
use crate::token::{RequestRecord, Token};
use crate::transport::{Rotation, Transport};

#[derive(Clone, Debug)]
pub(super) struct GrantConfig {
    pub(super) endpoint: TokenEndpoint,
    pub(super) parameters: Parameters,
    pub(super) initial: InitialToken,
    /// The person whose token it is, if the grant has the name.
    pub(super) subject: Option<String>,
    /// Whether the grant can obtain a first token at any time, without a person and without a refresh token.
    pub(super) is_repeatable: bool,
    /// Whether a store cannot distinguish the tokens of users without a subject.
    pub(super) needs_subject: bool,
    /// Parameters that distinguish this grant's tokens from those of other grants of the same client: names and values.
    pub(super) distinctions: Vec<(&'static str, String)>,
    /// What identifies the server in the key of a store, if it is not the endpoint's server.
    pub(super) key_server: Option<ResourceId>,
}

/// Outcome of trying the refresh token.
pub(super) enum RefreshOutcome {
    Token(Token),
    /// There is no previous token.
    NoToken,
    /// The previous token has no refresh token.
    NoRefreshToken,
    /// The server rejected the refresh token, permanently or temporarily.
    Rejected(Error),
    /// The response is not from the authorization server, but for example from a proxy. It says nothing about the refresh token.
    NotOAuth(Error),
}

impl GrantConfig {
    pub(super) fn new(endpoint: TokenEndpoint) -> Self {
        Self {
            endpoint,
            parameters: Parameters::default(),
            initial: InitialToken::default(),
            subject: None,
            is_repeatable: false,
            needs_subject: false,
            distinctions: Vec::new(),
            key_server: None,
        }
    }

    /// Returns the configuration for the grant's own request in one call: it asks for what the previous token was requested with, and for
    /// what a challenge demands.
    pub(super) fn for_call(&self, cx: &Context) -> Self {
        Self { endpoint: self.next_endpoint(cx).into_owned(), parameters: self.next_parameters(cx), ..self.clone() }
    }

    fn next_parameters(&self, cx: &Context) -> Parameters {
        let next = self.parameters.for_next(cx.previous(), cx.demand());
        match cx.resource_needs() {
            Some(needs) => needs.parameters(next),
            None => next,
        }
    }

    /// Returns the endpoint for the requests in one call: their tokens are bound to the key that the resource requires.
    fn next_endpoint(&self, cx: &Context) -> Cow<'_, TokenEndpoint> {
        let of_resource = cx.resource_needs().and_then(|needs| needs.endpoint(&self.endpoint));
        of_resource.map_or(Cow::Borrowed(&self.endpoint), Cow::Owned)
    }

    /// Returns the options for the requests of another grant.
    pub(super) fn options(&self) -> ResourceOptions {
        ResourceOptions { parameters: self.parameters.clone(), endpoint: self.endpoint.clone() }
    }

    /// Records in a token what was requested for it.
    fn record(&self, token: Token, cx: &Context) -> Token {
        token.with_request(self.next_parameters(cx).record())
    }

    /// Records in a token what was requested for it, and when the person logged in: earlier than now if the server knew the person already.
    pub(super) fn record_login(&self, token: Token) -> Token {
        let now = clock::now().unix_millis() / 1000;
        let login_at = Some(token.auth_time().map_or(now, |at| at.min(now)));
        token.with_request(RequestRecord { login_at, ..self.parameters.record() })
    }

    /// Returns the key under which this grant's token is stored.
    pub(super) fn key(&self) -> Key {
        let client = self.endpoint.client_id().unwrap_or_default();
        let of_resource = self.key_server.as_ref().map(|resource| resource.as_str().to_owned());
        let server = of_resource.unwrap_or_else(|| self.endpoint.server());
        let key = Key::new(server, client);
        // A client can have a token of its own and tokens of persons.
        let key = if self.is_repeatable && self.subject.is_none() { key.program() } else { key };
        let dpop = self.endpoint.dpop_key();
        // Another key cannot use the tokens.
        let key = dpop.into_iter().fold(key, |key, dpop| key.parameter("dpop_jkt", dpop.thumbprint()));
        let key = self.subject.iter().fold(key, |key, subject| key.subject(subject));
        let key = self.distinctions.iter().fold(key, |key, (name, value)| key.parameter(name, value));
        self.parameters.distinguish(key)
    }

    /// Gives the tokens of a request with this parameter an entry of their own in a store.
    pub(super) fn distinguish(&mut self, name: &'static str, value: impl Into<String>) {
        self.distinctions.retain(|(taken, _)| *taken != name);
        self.distinctions.push((name, value.into()));
    }

    /// Sends the refresh token of the previous token, or the one that the grant was built with (RFC 6749 §6).
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, is overloaded or rejects the client. The refresh token is kept for the next attempt.
    pub(super) async fn try_refresh(&self, cx: &Context) -> Result<RefreshOutcome, Error> {
        match cx.previous() {
            Some(previous) => match previous.refresh_token() {
                Some(_) if self.next_endpoint(cx).is_bound_to_other_key(previous) => {
                    let why = "the refresh token is bound to another DPoP key (RFC 9449 §5), and was not sent";
                    Ok(RefreshOutcome::Rejected(Error::new(ErrorKind::InvalidGrant, why).with_spent_refresh_token()))
                }
                Some(refresh_token) => {
                    let outcome = self.send_refresh(cx, cx.transport(), refresh_token).await;
                    RefreshOutcome::of(outcome.map(|token| self.refreshed(token.carry_over(previous), cx)))
                }
                None => Ok(RefreshOutcome::NoRefreshToken),
            },
            None => match self.initial.bare_refresh_token() {
                Some((sent, _in_use)) => {
                    let rotation = Rotation::default();
                    let http = cx.transport().clone().with_rotation(&rotation);
                    let outcome = self.send_refresh(cx, &http, sent.expose()).await;
                    if let Some(new) = rotation.replacement(Some(sent.expose())) {
                        self.initial.rotate(new);
                    }
                    let outcome = outcome.map(|token| match token.refresh_token() {
                        Some(_) => token,
                        None => token.with_refresh_token(sent.expose()),
                    });
                    RefreshOutcome::of(outcome.map(|token| self.refreshed(token, cx)))
                }
                None => Ok(RefreshOutcome::NoToken),
            },
        }
    }

    /// Records in a token the claims that were requested with its refresh. Its scope and its login are those of the previous token.
    fn refreshed(&self, token: Token, cx: &Context) -> Token {
        let claims = self.next_parameters(cx).claims();
        let request = RequestRecord { claims, ..token.record().request.clone() };
        token.with_request(request)
    }

    async fn send_refresh(&self, cx: &Context, http: &Transport, refresh_token: &str) -> Result<Token, Error> {
        let form =
            self.next_parameters(cx).for_refresh(Form::new("refresh_token").param("refresh_token", refresh_token));
        let outcome = self.next_endpoint(cx).token(http, form).await;
        if outcome.as_ref().map_or_else(Error::spent_refresh_token, |_| true) {
            // The server has replaced the refresh token, or has ended the login.
            self.initial.spend();
        }
        outcome
    }

    /// Refreshes the token. If that is not possible, runs the grant itself, which needs no person. What a challenge demands, only the grant
    /// itself can obtain.
    pub(super) async fn refresh_or<Fut>(&self, cx: &Context, grant_itself: impl FnOnce() -> Fut) -> Result<Token, Error>
    where
        Fut: Future<Output = Result<Token, Error>>,
    {
        let grant_itself = async || Ok(self.record(grant_itself().await?, cx));
        if let Some(demand) = cx.demand() {
            return if demand.needs_person() { Err(person_required()) } else { grant_itself().await };
        }
        match self.try_refresh(cx).await? {
            RefreshOutcome::Token(token) => Ok(token),
            RefreshOutcome::NoToken | RefreshOutcome::NoRefreshToken => grant_itself().await,
            RefreshOutcome::Rejected(rejected) | RefreshOutcome::NotOAuth(rejected) => {
                grant_itself().await.map_err(|error| error.with_spent_refresh_token_of(&rejected))
            }
        }
    }

    /// Refreshes the token. If that is not possible, asks a person to log in, if `logins` allows it. A login does not start while the
    /// previous token is still in use or because of a proxy's response, unless the application calls `Tokens::refresh`.
    pub(super) async fn refresh_or_log_in<Fut>(
        &self,
        cx: &Context,
        logins: LoginPolicy,
        login: impl FnOnce() -> Fut,
    ) -> Result<Token, Error>
    where
        Fut: Future<Output = Result<Token, Error>>,
    {
        let demand = cx.demand();
        let login = async || Ok(self.for_call(cx).record_login(login().await.map_err(denied_if_unmet)?));
        let may_step_up = demand.is_some_and(|demand| !demand.is_first) && logins.allows_step_up(cx.reason());
        // A refresh brings the same scope and the same login again (RFC 9470 §4).
        if demand.is_some_and(Demand::needs_login) && cx.previous().is_some() {
            return if may_step_up { login().await } else { Err(login_not_on_request()) };
        }
        let outcome = self.try_refresh(cx).await?;
        match &outcome {
            RefreshOutcome::NoRefreshToken if may_step_up => return login().await,
            RefreshOutcome::Rejected(rejected) if may_step_up && requires_login(rejected) => {
                return login().await.map_err(|error| error.with_spent_refresh_token_of(rejected));
            }
            _ => {}
        }
        let is_first = matches!(outcome, RefreshOutcome::NoToken);
        let may_log_in = logins.allows(cx.reason(), is_first);
        let why = if logins.waits_for_refresh(cx.reason(), is_first) {
            "requests do not start a login in this program"
        } else if is_first {
            "there is no token"
        } else {
            "there is no refresh token"
        };
        match outcome {
            RefreshOutcome::Token(token) => Ok(token),
            RefreshOutcome::NoToken | RefreshOutcome::NoRefreshToken if may_log_in => login().await,
            RefreshOutcome::NoToken | RefreshOutcome::NoRefreshToken => Err(Error::new(ErrorKind::LoginRequired, why)),
            RefreshOutcome::Rejected(rejected) if may_log_in => {
                login().await.map_err(|error| error.with_spent_refresh_token_of(&rejected))
            }
            RefreshOutcome::Rejected(rejected) => Err(login_required(rejected)),
            RefreshOutcome::NotOAuth(error) if cx.reason() == Reason::Forced => {
                login().await.map_err(|failed| failed.with_spent_refresh_token_of(&error))
            }
            RefreshOutcome::NotOAuth(error) => Err(error),
        }
    }
}

/// Makes the error of a grant without a person, from which an API demands another login.
pub(super) fn person_required() -> Error {
    let why = "the API demands another login, which this grant cannot start; use a grant with a login, or set a token with `Tokens::set`";
    Error::new(ErrorKind::LoginRequired, why)
}

fn login_not_on_request() -> Error {
    let why = "the API demands another login, and requests start none in this program; call `Tokens::step_up` when a person can log in";
    Error::new(ErrorKind::LoginRequired, why)
}

/// Returns the error of a login. Servers can say before the person has logged in that no login of theirs is strong enough (RFC 9470 §5).
fn denied_if_unmet(error: Error) -> Error {
    let is_unmet = error.oauth().is_some_and(|oauth| oauth.error() == "unmet_authentication_requirements");
    if is_unmet && error.kind() == ErrorKind::RequestRejected {
        Error::new(ErrorKind::Denied, "").with_response_of(&error)
    } else {
        error
    }
}

/// Returns whether the server demands a person in place of the refresh token: it is dead, or the error is one of OpenID Connect Core
/// §3.1.2.6, which Entra ID sends for claims that a refresh cannot satisfy.
fn requires_login(rejected: &Error) -> bool {
    let codes = ["interaction_required", "login_required", "consent_required"];
    rejected.spent_refresh_token() || rejected.oauth().is_some_and(|oauth| codes.contains(&oauth.error()))
}

impl RefreshOutcome {
    /// Classifies the response to a refresh.
    ///
    /// # Errors
    ///
    /// If the response says nothing about the refresh token.
    fn of(outcome: Result<Token, Error>) -> Result<Self, Error> {
        let error = match outcome {
            Ok(token) => return Ok(Self::Token(token)),
            Err(error) => error,
        };
        // RFC 6749 §5.2: the client is authenticated, and may not use this refresh token. With 401, servers mean the client's secret.
        let is_unauthorized = error.oauth().is_some_and(|oauth| oauth.error() == "unauthorized_client");
        match error.kind() {
            _ if error.is_before_request() => Err(error),
            _ if error.spent_refresh_token() => Ok(Self::Rejected(error)),
            _ if is_about_proof(&error) => Err(error),
            ErrorKind::RequestRejected => Ok(Self::Rejected(error)),
            ErrorKind::ClientRejected if is_unauthorized && error.status() != Some(StatusCode::UNAUTHORIZED) => {
                Ok(Self::Rejected(error))
            }
            ErrorKind::NotOAuth => Ok(Self::NotOAuth(error)),
            _ => Err(error),
        }
    }
}

/// Returns whether the server has rejected the DPoP proof (RFC 9449 §5, §8), which says nothing about the refresh token.
fn is_about_proof(error: &Error) -> bool {
    error.oauth().is_some_and(|oauth| matches!(oauth.error(), "invalid_dpop_proof" | "use_dpop_nonce"))
}

/// Makes the error of a rejected refresh token if no login may start. Unless the refresh token is dead, it is sent again after the
/// back-off.
pub(super) fn login_required(rejected: Error) -> Error {
    let error = Error::caused_by(ErrorKind::LoginRequired, rejected.clone()).with_response_of(&rejected);
    if rejected.spent_refresh_token() {
        error.with_spent_refresh_token_of(&rejected)
    } else {
        error.recoverable_without_login()
    }
}

/// Implements the options that all grants have as methods of one grant.
macro_rules! grant_options {
    ($grant:ident) => {
        impl $grant {
            /// Sets the scope to request: names separated by spaces ([RFC 6749 §3.3]). By default the server chooses the scope.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it has a character that a scope cannot have.
            ///
            /// [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
            pub fn scope(mut self, scope: impl Into<String>) -> Result<Self, crate::Error> {
                self.config.parameters.set_scope(&scope.into())?;
                Ok(self)
            }

            /// Sets details of what the token is for, in addition to the scope or in its place: an array of objects, each with a `type` that
            /// the server defines. An empty array removes them. The standard calls this a rich authorization request (RAR, [RFC 9396]), and
            /// [Grants](crate::docs::grants#detailed-requests) has an example.
            ///
            /// They are sent wherever the scope is sent. What the server has granted is in
            /// [`Token::extra("authorization_details")`](crate::Token::extra), also after a refresh whose response leaves it out.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is not an array of objects with a `type`.
            ///
            /// # Security
            ///
            /// Details can contain account numbers, so no error and no `Debug` prints a value of them. In the URL of a browser, the person and
            /// the browser's history have them. A pushed request keeps them out of the URL.
            ///
            /// [RFC 9396]: https://www.rfc-editor.org/rfc/rfc9396#section-2
            #[doc(alias = "RAR")]
            pub fn authorization_details(mut self, details: serde_json::Value) -> Result<Self, crate::Error> {
                self.config.parameters.set_details(&details)?;
                Ok(self)
            }

            /// Sends the scope with each refresh too ([RFC 6749 §6]), for servers that would otherwise grant another scope or none. By
            /// default a refresh has no scope, and the server grants the same scope again.
            ///
            /// It also sends the [`authorization_details`](Self::authorization_details). Without both, this option has no effect.
            ///
            /// [RFC 6749 §6]: https://www.rfc-editor.org/rfc/rfc6749#section-6
            #[must_use]
            pub fn scope_on_refresh(mut self) -> Self {
                self.config.parameters.set_scope_on_refresh();
                self
            }

            /// Adds a parameter to each request to the server's endpoints, such as `audience`.
            ///
            /// A parameter that the grant sends itself, such as `scope` or `client_id`, is neither replaced nor sent twice.
            #[must_use]
            pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.config.parameters.add(name, value);
                self
            }

            /// Adds an API that the token is for ([RFC 8707]). Can be called several times.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is not an absolute URI, or has a fragment.
            ///
            /// [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707#section-2
            pub fn resource(mut self, uri: impl Into<String>) -> Result<Self, crate::Error> {
                self.config.parameters.add_resource(uri)?;
                Ok(self)
            }

            /// Sets the initial token, such as one that the program has kept. No token request is sent for it.
            ///
            /// It is the layer's token from the start: [`Tokens::peek`](crate::Tokens::peek) returns it, and it is refreshed,
            /// rejected and invalidated like any other token. An expired token without a refresh token counts as none.
            ///
            /// With [`persisted`](Self::persisted), a stored token takes precedence over this one.
            #[must_use]
            pub fn token(mut self, token: crate::Token) -> Self {
                self.config.initial.set_token(token);
                self
            }

            /// Keeps the token in a store, so that it outlives the process and can be shared by several processes: see
            /// [`Persisted`](crate::grant::Persisted).
            ///
            /// Call it last: the key of the entry is made from the token endpoint, client, scope, details, resources and parameters. A
            /// program's own token and a person's token have different keys. Headers are not part of the key: if they distinguish two logins,
            /// name each one with [`subject`](crate::grant::Persisted::subject).
            pub fn persisted<S: crate::store::TokenStore>(self, store: S) -> crate::grant::Persisted<Self, S> {
                let (key, is_repeatable) = (self.config.key(), self.config.is_repeatable);
                let needs_subject = self.config.needs_subject;
                let persisted = crate::grant::Persisted::new(self, store, key);
                let persisted = if needs_subject { persisted.require_subject() } else { persisted };
                if is_repeatable { persisted.refresh_without_store() } else { persisted }
            }

            /// Adds a header to each request to the server's endpoints, such as an API key: see
            /// [`TokenEndpoint::header`](crate::endpoint::TokenEndpoint::header).
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if a header cannot have that name or value.
            pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Result<Self, crate::Error> {
                self.config.endpoint = self.config.endpoint.header(name, value)?;
                Ok(self)
            }

            /// Binds the tokens to a key, so that a stolen token is useless without it ([RFC 9449]): see [`dpop`](crate::dpop).
            ///
            /// Token requests and API requests carry proofs by this key. With [`persisted`](Self::persisted) its thumbprint is part of the
            /// entry's key: a process with another key does not find the token.
            ///
            /// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
            #[must_use]
            pub fn dpop(mut self, dpop: crate::dpop::Dpop) -> Self {
                self.config.endpoint = self.config.endpoint.dpop(dpop);
                self
            }

            /// Accepts a `token_type` that this server uses for bearer tokens: see
            /// [`TokenEndpoint::bearer_type`](crate::endpoint::TokenEndpoint::bearer_type).
            #[must_use]
            pub fn bearer_type(mut self, token_type: impl Into<String>) -> Self {
                self.config.endpoint = self.config.endpoint.bearer_type(token_type);
                self
            }

            /// Treats a lifetime of zero or less as unknown: see
            /// [`TokenEndpoint::ignore_zero_lifetime`](crate::endpoint::TokenEndpoint::ignore_zero_lifetime).
            #[must_use]
            pub fn ignore_zero_lifetime(mut self) -> Self {
                self.config.endpoint = self.config.endpoint.ignore_zero_lifetime();
                self
            }

            /// Sets a function that changes each request to the server's endpoints before it is sent: see
            /// [`TokenEndpoint::map_request`](crate::endpoint::TokenEndpoint::map_request).
            #[must_use]
            pub fn map_request(
                mut self,
                map: impl Fn(http::Request<bytes::Bytes>) -> http::Request<bytes::Bytes> + Send + Sync + 'static,
            ) -> Self {
                self.config.endpoint = self.config.endpoint.map_request(map);
                self
            }

            /// Sets a function that changes each response of the server's endpoints before it is parsed: see
            /// [`TokenEndpoint::map_response`](crate::endpoint::TokenEndpoint::map_response).
            #[must_use]
            pub fn map_response(
                mut self,
                map: impl Fn(http::Response<bytes::Bytes>) -> http::Response<bytes::Bytes> + Send + Sync + 'static,
            ) -> Self {
                self.config.endpoint = self.config.endpoint.map_response(map);
                self
            }

            /// Sets a predicate for errors of a refresh after which the refresh token is dead and is dropped. By default `invalid_grant`
            /// is such an error. It also applies with [`persisted`](Self::persisted).
            ///
            /// Use it for servers that return `invalid_grant` temporarily, such as Entra ID and Salesforce, and for servers that reject
            /// a dead refresh token with another error: see
            /// [`TokenEndpoint::refresh_token_dead_when`](crate::endpoint::TokenEndpoint::refresh_token_dead_when).
            #[must_use]
            pub fn refresh_token_dead_when(
                mut self,
                is_dead: impl Fn(&crate::Error) -> bool + Send + Sync + 'static,
            ) -> Self {
                self.config.endpoint = self.config.endpoint.refresh_token_dead_when(is_dead);
                self
            }
        }
    };
}

pub(super) use grant_options;
