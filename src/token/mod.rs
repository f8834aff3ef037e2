//! The access token with what came along: expiry, refresh token, scope and the server's own members.

mod members;
mod stored;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Map, Value};

use crate::clock::{self, Deadline, Now};
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;

pub(crate) use self::members::{from_answer, seconds};

/// An access token that is sent as `Authorization: Bearer …`, with what the server gave along with it
/// ([RFC 6749 §5.1], [RFC 6750 §2.1]).
///
/// It is cheap to clone. Anything that was parsed into a `Token` can be sent: its type is Bearer and its text fits a
/// header.
///
/// ```
/// use std::time::Duration;
/// use tower_oauth2::Token;
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let token = Token::bearer("2YotnFZFEjr1zCsicMWpAA")?
///     .with_expires_in(Duration::from_secs(3600))
///     .with_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA");
/// assert!(!token.is_expired(Duration::from_secs(30)));
/// assert!(token.is_expired(Duration::from_secs(3600)));
/// # Ok(())
/// # }
/// ```
///
/// With `serde` it is the JSON object of RFC 6749 §5.1, plus `expires_at` in Unix seconds:
///
/// ```
/// use tower_oauth2::Token;
///
/// # fn main() -> Result<(), serde_json::Error> {
/// let token: Token = serde_json::from_str(r#"{"access_token": "abc", "expires_at": 1767225600, "tenant": 7}"#)?;
/// assert_eq!(token.extra("tenant"), Some(&7.into()));
/// assert_eq!(serde_json::to_value(&token)?["expires_at"], 1767225600);
/// # Ok(())
/// # }
/// ```
///
/// # Security
///
/// `Debug` prints no secret and there is no `Display`. Serializing writes the tokens in the clear: that is what it is
/// for, so mind where it goes.
///
/// [RFC 6749 §5.1]: https://www.rfc-editor.org/rfc/rfc6749#section-5.1
/// [RFC 6750 §2.1]: https://www.rfc-editor.org/rfc/rfc6750#section-2.1
#[derive(Clone)]
pub struct Token(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    access_token: Secret,
    header: HeaderValue,
    token_type: String,
    expiry: Option<Deadline>,
    refresh_token: Option<Secret>,
    scope: Option<String>,
    extra: Map<String, Value>,
}

impl Token {
    /// A Bearer token without expiry and without refresh token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when it is empty or holds anything but visible ASCII, which no header can carry.
    pub fn bearer(access_token: impl Into<String>) -> Result<Self, Error> {
        let access_token = Secret::new(access_token);
        let header = bearer_header(&access_token).ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "`access_token`: must be visible ASCII, and not empty")
        })?;
        Ok(Self(Arc::new(Inner {
            access_token,
            header,
            token_type: "Bearer".into(),
            expiry: None,
            refresh_token: None,
            scope: None,
            extra: Map::new(),
        })))
    }

    /// The same token, to expire in `lifetime` from now. Zero means that it has expired; more than a hundred years are
    /// taken as a hundred.
    #[must_use]
    pub fn with_expires_in(self, lifetime: Duration) -> Self {
        self.with_expiry(Some(Deadline::after(clock::now(), lifetime)))
    }

    /// The same token with this refresh token. An empty one is none.
    #[must_use]
    pub fn with_refresh_token(mut self, refresh_token: impl Into<String>) -> Self {
        let refresh_token = refresh_token.into();
        self.inner().refresh_token = (!refresh_token.is_empty()).then(|| Secret::new(refresh_token));
        self
    }

    /// The text that is sent to the API.
    pub fn access_token(&self) -> &str {
        self.0.access_token.expose()
    }

    /// The type as the server wrote it; `Bearer` in some mix of cases.
    pub fn token_type(&self) -> &str {
        &self.0.token_type
    }

    /// When it expires; `None` when that is not known, which is taken as never.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expiry.map(Deadline::wall)
    }

    /// Whether it has expired, or will have in `skew` from now. Zero asks about this moment.
    ///
    /// Both the wall clock and the monotonic clock are asked, and either is enough.
    pub fn is_expired(&self, skew: Duration) -> bool {
        self.0.expiry.is_some_and(|expiry| expiry.remaining(clock::now()) <= skew)
    }

    /// The refresh token, where there is one.
    pub fn refresh_token(&self) -> Option<&str> {
        self.0.refresh_token.as_ref().map(Secret::expose)
    }

    /// The scope that the server said it granted; `None` when it said nothing, which means what was asked for
    /// ([RFC 6749 §5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)).
    pub fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }

    /// A further member of the server's answer, such as `id_token`, as it came. A member that was `null` is
    /// `Some(&Value::Null)`.
    pub fn extra(&self, name: &str) -> Option<&Value> {
        self.0.extra.get(name)
    }

    /// `Bearer …`, built once, marked sensitive.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.0.header
    }

    /// A copy of the header that shares no count of references with others.
    pub(crate) fn own_header(&self) -> HeaderValue {
        bearer_header(&self.0.access_token).unwrap_or_else(|| self.0.header.clone())
    }

    /// How long it still lives; `None` when it does not expire.
    pub(crate) fn lifetime(&self, now: Now) -> Option<Duration> {
        self.0.expiry.map(|expiry| expiry.remaining(now))
    }

    pub(crate) fn expiry(&self) -> Option<Deadline> {
        self.0.expiry
    }

    pub(crate) fn with_expiry(mut self, expiry: Option<Deadline>) -> Self {
        self.inner().expiry = expiry;
        self
    }

    pub(crate) fn without_refresh_token(mut self) -> Self {
        self.inner().refresh_token = None;
        self
    }

    /// What a refresh leaves out stays as it was (RFC 6749 §6): the refresh token and the scope.
    pub(crate) fn keeping(mut self, previous: &Self) -> Self {
        let inner = self.inner();
        if inner.refresh_token.is_none() {
            inner.refresh_token.clone_from(&previous.0.refresh_token);
        }
        if inner.scope.is_none() {
            inner.scope.clone_from(&previous.0.scope);
        }
        self
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }
}

/// Two tokens are the same when all that would be stored of them is.
impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        a.access_token == b.access_token
            && a.token_type == b.token_type
            && self.expires_at() == other.expires_at()
            && a.refresh_token == b.refresh_token
            && a.scope == b.scope
            && a.extra == b.extra
    }
}

/// Prints what is no secret. Of the server's own members only the names: an `id_token` is among them.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("access_token", &self.0.access_token)
            .field("token_type", &self.0.token_type)
            .field("expires_at", &self.expires_at())
            .field("refresh_token", &self.0.refresh_token)
            .field("scope", &self.0.scope)
            .field("extra", &self.0.extra.keys())
            .finish()
    }
}

/// `Bearer …` as a header value, or `None` when the token is empty or holds more than visible ASCII (RFC 6750 §2.1 asks
/// for `b64token`; servers are freer than that, headers are not).
fn bearer_header(access_token: &Secret) -> Option<HeaderValue> {
    let text = access_token.expose();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut header = HeaderValue::from_maybe_shared(Bytes::from(format!("Bearer {text}"))).ok()?;
    header.set_sensitive(true);
    // The first clone of fresh `Bytes` allocates their reference count. Here it is one token's cost, later a request's.
    drop(header.clone());
    Some(header)
}
