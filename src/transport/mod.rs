//! How a grant sends HTTP: whole requests out, whole and bounded answers back.

mod exchange;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use self::exchange::{Exchange, Through};
use crate::clock;
use crate::error::{BoxError, Error, ErrorKind};
use crate::observe::CallLog;
use crate::token::Token;

/// What a [`Grant`](crate::grant::Grant) sends its requests through: the layer's inner service, or the one given to
/// `token_service`.
///
/// It is cheap to clone. Each call has the layer's deadline and reads no more than the layer's limit. An answer comes as it
/// is, whatever its status: redirects are not followed.
#[derive(Clone)]
pub struct Transport {
    exchange: Arc<dyn Exchange>,
    limits: Limits,
    reason: Reason,
    news: Option<Weak<dyn News>>,
    log: CallLog,
}

/// Who wants to hear of a token that came by another way than the flight's own: the cell.
pub(crate) trait News: Send + Sync {
    fn newer(&self, token: Token);
}

/// Why a token is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// There is none that serves.
    Needed,
    /// The one that is there still serves, but not for long.
    Ahead,
    /// The user asked for it.
    Asked,
}

/// The bounds of one token call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From the first poll to the last byte of the answer.
    pub(crate) deadline: Duration,
    /// The longest body that is read, in bytes.
    pub(crate) body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), body: 1024 * 1024 }
    }
}

impl Transport {
    /// Sends a request and reads the whole answer.
    ///
    /// ```
    /// use tower_oauth2::{Error, Token, transport::Transport};
    ///
    /// // A closure that is a grant: it asks a metadata server of its own kind.
    /// let grant = async |_previous: Option<Token>, http: Transport| -> Result<Token, Error> {
    ///     let request = http::Request::get("https://metadata.example/token").body(Default::default()).unwrap();
    ///     let answer = http.send(request).await?;
    ///     Token::bearer(String::from_utf8_lossy(answer.body()))
    /// };
    /// # let _ = grant;
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transport`] when the service under it fails, with its error as the source;
    /// [`ErrorKind::Timeout`] when the deadline passes; [`ErrorKind::Malformed`] when the body is longer than the limit.
    ///
    /// # Panics
    ///
    /// In a tokio runtime without timers (`enable_time`). Inside a grant that becomes [`ErrorKind::Panicked`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request, which the server may have acted on already. Inside a grant that does not
    /// happen: a grant that was begun runs to its end.
    ///
    /// # Security
    ///
    /// It sends what it is given, to where it is told: a grant that sends a secret checks that the address is `https`.
    /// [`TokenEndpoint`](crate::endpoint::TokenEndpoint) does.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.log.made(request.uri());
        let answer = self.exchange.exchange(request, self.limits.body);
        match clock::within(self.limits.deadline, answer).await {
            Some(outcome) => outcome,
            None => Err(Error::new(ErrorKind::Timeout, format!("no whole answer within {:?}", self.limits.deadline))),
        }
    }

    /// A transport of its own, through clones of this service: for using the pieces of a grant without a layer. It has the
    /// layer's defaults, 30 s and 1 MiB.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use http_body_util::Full;
    /// # use tower::service_fn;
    /// use tower_oauth2::{client::Client, endpoint::TokenEndpoint, form::Form, transport::Transport};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_oauth2::Error> {
    /// # let http_client = service_fn(async |_: http::Request<Full<Bytes>>| {
    /// #     Ok::<_, std::convert::Infallible>(http::Response::new(r#"{"access_token": "a"}"#.to_owned()))
    /// # });
    /// let http = Transport::new(http_client);
    /// let endpoint = TokenEndpoint::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
    /// let token = endpoint.token(&http, Form::new("client_credentials")).await?;
    /// # assert_eq!(token.access_token(), "a");
    /// # Ok(())
    /// # }
    /// ```
    pub fn new<S, R>(service: S) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        R: Body + Send,
        R::Data: Send,
        R::Error: Into<BoxError>,
    {
        Self::through(service, Full::new)
    }

    /// Through clones of `service`, whose request body is made of bytes by `body`.
    pub(crate) fn through<S, F, B, R>(service: S, body: F) -> Self
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        F: Fn(Bytes) -> B + Send + Sync + 'static,
        R: Body + Send,
        R::Data: Send,
        R::Error: Into<BoxError>,
    {
        Self {
            exchange: Arc::new(Through::new(service, body)),
            limits: Limits::default(),
            reason: Reason::Needed,
            news: None,
            log: CallLog::none(),
        }
    }

    /// Whether the user asked for this token with [`Tokens::refresh`](crate::Tokens::refresh), rather than a request that
    /// needs one. A grant that has to ask a person asks them a second time only then.
    ///
    /// ```
    /// use tower_oauth2::{Error, ErrorKind, Token, transport::Transport};
    ///
    /// # async fn ask_the_person() -> Result<Token, Error> { Token::bearer("pasted") }
    /// let grant = async |previous: Option<Token>, http: Transport| {
    ///     match previous.is_none() || http.is_asked_for() {
    ///         true => ask_the_person().await,
    ///         false => Err(Error::caused_by(ErrorKind::LoginNeeded, "the token has ended")),
    ///     }
    /// };
    /// # let _layer = tower_oauth2::OAuth2Layer::new(grant);
    /// ```
    pub fn is_asked_for(&self) -> bool {
        self.reason == Reason::Asked
    }

    /// Whether the previous token still serves, and this is about the next one in good time. A grant that has to ask a
    /// person does not ask them yet: it fails with [`ErrorKind::LoginNeeded`], and is called again when the token has ended.
    pub fn is_ahead(&self) -> bool {
        self.reason == Reason::Ahead
    }

    pub(crate) fn for_flight(self, limits: Limits, reason: Reason, news: Weak<dyn News>, log: CallLog) -> Self {
        Self { exchange: self.exchange, limits, reason, news: Some(news), log }
    }

    pub(crate) fn log(&self) -> &CallLog {
        &self.log
    }

    pub(crate) fn news(&self) -> Option<&Weak<dyn News>> {
        self.news.as_ref()
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("limits", &self.limits).finish_non_exhaustive()
    }
}
