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
