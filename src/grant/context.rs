//! Defines the input of a grant: the previous token, the reason, and a transport.

use std::fmt;
use std::sync::Weak;
use std::time::Duration;

use super::resource_needs::ResourceNeeds;
use super::stall_timeout::StallTimeout;
use crate::challenge::{Challenge, Demand};
use crate::observe::WeakRecorder;
use crate::token::Token;
use crate::transport::{Rotation, Transport};

/// The input that [`Grant::obtain`](super::Grant::obtain) gets: the previous token, the reason for the call, and a transport.
///
/// The layer creates one for each call. A grant that wraps another grant passes it on, and can change it:
///
/// ```
/// use tower_oauth2::{Error, Token, grant::{Context, Grant, Reason}};
///
/// /// Never uses the refresh tokens of the inner grant.
/// struct WithoutRefreshTokens<G>(G);
///
/// impl<G: Grant> Grant for WithoutRefreshTokens<G> {
///     async fn obtain(&self, cx: Context) -> Result<Token, Error> {
///         self.0.obtain(cx.with_previous(None).with_reason(Reason::Missing)).await
///     }
/// }
/// ```
///
/// `Debug` does not print tokens.
#[derive(Clone)]
pub struct Context {
    previous: Option<Token>,
    transport: Transport,
    reason: Reason,
    challenge: Option<Challenge>,
    demand: Option<Demand>,
    resource_needs: Option<ResourceNeeds>,
    intervention: Option<Intervention>,
    sink: Option<Weak<dyn TokenSink>>,
    stall_timeout: Option<StallTimeout>,
    is_tenant: bool,
}

/// The reason for which a grant is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// There is no token that can be sent: none was obtained yet, or it has expired, or it was invalidated or forgotten.
    Missing,
    /// The previous token is still in use, and is refreshed before it expires.
    ///
    /// A grant must not ask a person to log in. If it cannot proceed otherwise, it returns
    /// [`ErrorKind::LoginRequired`](crate::ErrorKind::LoginRequired), and is called again when the token has expired.
    Proactive,
    /// The application called [`Tokens::refresh`](crate::Tokens::refresh), or [`Tokens::step_up`](crate::Tokens::step_up) with the challenge
    /// that [`Context::challenge`] returns. A grant may ask a person to log in, even repeatedly.
    Forced,
    /// An API rejected the previous token (401).
    ///
    /// A grant must not ask a person to log in a second time, unless its user allowed that when the grant was built.
    Rejected,
    /// An API demands more than the previous token has: another scope, another login, or other claims. [`Context::challenge`] says what. The
    /// previous token stays in use for other requests, and for all of them if the grant fails.
    ///
    /// Or there is no previous token, and an API demands one: see [`on_challenge`](crate::OAuth2Layer::on_challenge).
    ///
    /// It is used with [`step_up`](crate::OAuth2Layer::step_up), which is the consent to a login. A refresh brings the same scope and the same
    /// login again, so a grant with a person starts a login, unless the API demands claims only. A grant that cannot obtain such a token
    /// returns [`ErrorKind::LoginRequired`](crate::ErrorKind::LoginRequired), or
    /// [`ErrorKind::RequestRejected`](crate::ErrorKind::RequestRejected). If another login does not help either, it returns
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied): nothing starts for this token again.
    Challenged,
}

/// The last change of the token by the application, if no other token was obtained since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intervention {
    /// It set a token that is not from a store.
    Set,
    /// It forgot the token.
    Forgotten,
}

/// Receives tokens that are not the result of a refresh task, such as one that another process has saved. Implemented by the token cell.
pub(crate) trait TokenSink: Send + Sync {
    /// Offers a token. Returns whether it is the newest token now.
    fn offer(&self, token: Token) -> bool;
    /// Reports the start of a background save.
    fn save_started(&self);
    /// Reports the end of a background save.
    fn save_ended(&self);
}

impl Context {
    /// Creates a context without a previous token and with [`Reason::Missing`], to test a grant or to use it without a layer.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use http_body_util::Full;
    /// # use tower::service_fn;
    /// use tower_oauth2::{client::Client, grant::{ClientCredentials, Context, Grant}, transport::Transport};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_oauth2::Error> {
    /// # let http_client = service_fn(async |_: http::Request<Full<Bytes>>| {
    /// #     Ok::<_, std::convert::Infallible>(http::Response::new(r#"{"access_token": "a"}"#.to_owned()))
    /// # });
    /// let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
    /// let token = grant.obtain(Context::new(Transport::new(http_client))).await?;
    /// assert_eq!(token.access_token(), "a");
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(transport: Transport) -> Self {
        Self {
            previous: None,
            transport,
            reason: Reason::Missing,
            challenge: None,
            demand: None,
            resource_needs: None,
            intervention: None,
            sink: None,
            stall_timeout: None,
            is_tenant: false,
        }
    }

    /// Replaces the previous token.
    #[must_use]
    pub fn with_previous(self, previous: impl Into<Option<Token>>) -> Self {
        Self { previous: previous.into(), ..self }
    }

    /// Replaces the reason.
    #[must_use]
    pub fn with_reason(self, reason: Reason) -> Self {
        Self { reason, ..self }
    }

    /// Returns the last token of the layer: expired, rejected, or about to expire. Its refresh token may still be valid.
    ///
    /// It is `None` for the first token, and after [`Tokens::forget`](crate::Tokens::forget).
    pub fn previous(&self) -> Option<&Token> {
        self.previous.as_ref()
    }

    /// Returns the transport, which sends requests through the layer's inner service or its `token_service`.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Returns the reason for which the grant is called.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns the challenge of the response that rejected the previous token ([`Reason::Rejected`]) or demands more of it
    /// or a first one ([`Reason::Challenged`]), or the one that [`Tokens::step_up`](crate::Tokens::step_up) was called with ([`Reason::Forced`]).
    ///
    /// `None` if a rejection had none, and for other reasons. If several challenges arrived during another refresh, it is one that demands all
    /// of them together.
    pub fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }

    pub(crate) fn with_challenge(self, challenge: Option<Challenge>) -> Self {
        Self { challenge, ..self }
    }

    /// Sets what the challenges demand together.
    pub(crate) fn with_demand(self, demand: Option<Demand>) -> Self {
        Self { demand, ..self }
    }

    /// Returns what the challenges demand of the token; `None` unless they are the reason.
    pub(in crate::grant) fn demand(&self) -> Option<&Demand> {
        self.demand.as_ref()
    }

    /// Sets what the protected resource requires of the token requests.
    pub(in crate::grant) fn with_resource_needs(self, needs: ResourceNeeds) -> Self {
        Self { resource_needs: Some(needs), ..self }
    }

    pub(in crate::grant) fn resource_needs(&self) -> Option<&ResourceNeeds> {
        self.resource_needs.as_ref()
    }

    pub(crate) fn with_intervention(self, intervention: Option<Intervention>) -> Self {
        Self { intervention, ..self }
    }

    /// Returns whether the application has set or forgotten the previous token.
    pub(in crate::grant) fn intervention(&self) -> Option<Intervention> {
        self.intervention
    }

    pub(crate) fn with_sink(self, sink: Weak<dyn TokenSink>) -> Self {
        Self { sink: Some(sink), ..self }
    }

    pub(crate) fn sink(&self) -> Option<&Weak<dyn TokenSink>> {
        self.sink.as_ref()
    }

    /// Sets whether the token belongs to one of many tenants, whose grants may be alike.
    pub(crate) fn with_tenant(self, is_tenant: bool) -> Self {
        Self { is_tenant, ..self }
    }

    pub(in crate::grant) fn is_tenant(&self) -> bool {
        self.is_tenant
    }

    /// Sets where the transport records a new refresh token of a response that is not usable otherwise.
    pub(crate) fn with_rotation(self, rotation: &Rotation) -> Self {
        Self { transport: self.transport.with_rotation(rotation), ..self }
    }

    pub(crate) fn with_stall_timeout(self, stall_timeout: StallTimeout) -> Self {
        Self { stall_timeout: Some(stall_timeout), ..self }
    }

    /// Extends the maximum wait, because a person is asked to log in.
    pub(in crate::grant) fn extend_stall_timeout(&self, limit: Duration) {
        if let Some(stall_timeout) = &self.stall_timeout {
            stall_timeout.extend(limit);
        }
    }

    /// Returns whether a person is asked, who may take longer than a token request.
    pub(in crate::grant) fn is_stall_timeout_extended(&self) -> bool {
        self.stall_timeout.as_ref().is_some_and(StallTimeout::is_extended)
    }

    pub(crate) fn recorder(&self) -> &WeakRecorder {
        self.transport.recorder()
    }
}

/// Counts a background save until it is dropped. `Tokens::flush` waits for it.
pub(in crate::grant) struct SaveGuard(Option<Weak<dyn TokenSink>>);

impl SaveGuard {
    pub(in crate::grant) fn new(cx: &Context) -> Self {
        let sink = cx.sink.clone();
        if let Some(sink) = sink.as_ref().and_then(Weak::upgrade) {
            sink.save_started();
        }
        Self(sink)
    }
}

impl Drop for SaveGuard {
    fn drop(&mut self) {
        if let Some(sink) = self.0.as_ref().and_then(Weak::upgrade) {
            sink.save_ended();
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("previous", &self.previous)
            .field("reason", &self.reason)
            .field("challenge", &self.challenge)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}
