//! Defines a token: the access token and the other members of a token response.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Map, Value};

use super::id_token::auth_time;
#[cfg(feature = "loopback")]
use super::registration_record::RegistrationRecord;
use super::request_record::RequestRecord;
use super::stored_as::StoredAs;
use super::token_record::TokenRecord;
use super::token_scheme::TokenScheme;
use crate::challenge::Demand;
use crate::clock::{self, Deadline, Now};
use crate::error::Error;
use crate::secret::{CharacterSet, Secret};

/// The details that were granted (RFC 9396 §7).
const DETAILS: &str = "authorization_details";

/// An access token that is sent as `Authorization: Bearer …` or `Authorization: DPoP …`, with the other members of the token response
/// ([RFC 6749 §5.1], [RFC 6750 §2.1], [RFC 9449 §7.1]).
///
/// It is cheap to clone. Every `Token` can be sent: its type is Bearer or DPoP, and its text is valid in a header. A token of the type DPoP
/// is sent with a proof only: see [`dpop`](crate::dpop).
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
/// With `serde`, a token is the JSON object of RFC 6749 §5.1 with `expires_at` in Unix seconds:
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
/// `Debug` prints no secrets, and there is no `Display`. The serialized JSON contains the access token and the refresh token in plain text,
/// so store it like a password.
///
/// [RFC 6749 §5.1]: https://www.rfc-editor.org/rfc/rfc6749#section-5.1
/// [RFC 6750 §2.1]: https://www.rfc-editor.org/rfc/rfc6750#section-2.1
/// [RFC 9449 §7.1]: https://www.rfc-editor.org/rfc/rfc9449#section-7.1
#[derive(Clone)]
pub struct Token(pub(super) Arc<TokenData>);

#[derive(Clone)]
pub(super) struct TokenData {
    pub(super) access_token: Secret,
    pub(super) token_type: String,
    pub(super) scheme: TokenScheme,
    pub(super) expiry: Option<Deadline>,
    /// The lifetime from when the token was issued, if it is known.
    pub(super) lifetime: Option<Duration>,
    pub(super) refresh_token: Option<Secret>,
    pub(super) scope: Option<String>,
    pub(super) extra: Map<String, Value>,
    pub(super) stored_as: Option<StoredAs>,
    pub(super) record: TokenRecord,
}

impl Token {
    /// Creates a Bearer token without expiry and without refresh token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the text is empty, or has characters other than visible ASCII,
    /// which a header cannot contain.
    pub fn bearer(access_token: impl Into<String>) -> Result<Self, Error> {
        let access_token = Secret::new(access_token);
        if access_token.expose().is_empty() {
            return Err(Error::argument("access_token", "is empty"));
        }
        // RFC 6750 §2.1 requires `b64token`. Real servers issue other characters too, but a header cannot contain all of them.
        if let Some(violation) = CharacterSet::Graphic.violation(access_token.expose()) {
            return Err(Error::argument("access_token", violation));
        }
        Ok(Self(Arc::new(TokenData {
            access_token,
            token_type: "Bearer".into(),
            scheme: TokenScheme::Bearer,
            expiry: None,
            lifetime: None,
            refresh_token: None,
            scope: None,
            extra: Map::new(),
            stored_as: None,
            record: TokenRecord::default(),
        })))
    }

    /// Creates a token that is bound to a DPoP key, without expiry and without refresh token ([RFC 9449]).
    ///
    /// A layer sends it with a proof by the key of its grant: set the key with `.dpop(…)` of the grant, or implement
    /// [`Grant::dpop`](crate::grant::Grant::dpop). It is never sent as Bearer.
    ///
    /// ```
    /// use tower_oauth2::Token;
    ///
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// let token = Token::dpop("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU")?;
    /// assert_eq!(token.token_type(), "DPoP");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Token::bearer`].
    ///
    /// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
    pub fn dpop(access_token: impl Into<String>) -> Result<Self, Error> {
        Ok(Self::bearer(access_token)?.with_dpop_type("DPoP".to_owned()))
    }

    /// Returns the same token with an expiry of `lifetime` from now. Zero means that the token has expired. The maximum is 100 years.
    #[must_use]
    pub fn with_expires_in(self, lifetime: Duration) -> Self {
        self.with_expiry(Some(Deadline::from_now(clock::now(), lifetime)), Some(lifetime))
    }

    /// Returns the same token with this refresh token. An empty text means no refresh token.
    ///
    /// If it has a control character, such as the line break at the end of a file, the first refresh fails with
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration), and nothing is sent.
    #[must_use]
    pub fn with_refresh_token(mut self, refresh_token: impl Into<String>) -> Self {
        let refresh_token = refresh_token.into();
        let inner = self.inner();
        inner.refresh_token = (!refresh_token.is_empty()).then(|| Secret::new(refresh_token));
        // It is no longer the stored token.
        inner.stored_as = None;
        self
    }

    /// Returns the access token, which is sent to the API.
    pub fn access_token(&self) -> &str {
        self.0.access_token.expose()
    }

    /// Returns the type as the server wrote it: `Bearer` or `DPoP`, in any case.
    pub fn token_type(&self) -> &str {
        &self.0.token_type
    }

    /// Returns when the token expires, or `None` if that is unknown. Such a token is treated as if it never expires.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expiry.map(Deadline::wall)
    }

    /// Returns whether the token has expired, or expires within `skew` from now.
    ///
    /// The token has expired if either the wall clock or the monotonic clock has reached the expiry.
    #[doc(alias = "expire")]
    pub fn is_expired(&self, skew: Duration) -> bool {
        self.0.expiry.is_some_and(|expiry| expiry.remaining(clock::now()) <= skew)
    }

    /// Returns the refresh token, if there is one.
    pub fn refresh_token(&self) -> Option<&str> {
        self.0.refresh_token.as_ref().map(Secret::expose)
    }

    /// Returns the granted scope, or `None` if the response did not contain it, which means the requested scope
    /// ([RFC 6749 §5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)).
    pub fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }

    /// Returns another member of the token response, such as `id_token`. A member that is `null` is `Some(&Value::Null)`.
    pub fn extra(&self, name: &str) -> Option<&Value> {
        self.0.extra.get(name)
    }

    /// Creates a header value of the scheme and the token, marked sensitive. It shares no reference count with other values.
    ///
    /// `bearer` is the scheme of Bearer tokens. That of DPoP tokens is fixed (RFC 9449 §7.1).
    pub(crate) fn header(&self, bearer: &str) -> HeaderValue {
        // Cannot fail: the access token was validated when the token was created, and the scheme when the option was set.
        header(self.0.scheme.name(bearer), &self.0.access_token).unwrap_or_else(|| HeaderValue::from_static(""))
    }

    /// Returns whether the token is bound to a key, and is sent with a proof only.
    pub(crate) fn is_dpop(&self) -> bool {
        self.ath().is_some()
    }

    /// Returns the `ath` of a proof for this token; `None` for a Bearer token.
    pub(crate) fn ath(&self) -> Option<&str> {
        match &self.0.scheme {
            TokenScheme::Bearer => None,
            TokenScheme::Dpop { ath } => Some(ath),
        }
    }

    /// Makes it a token of the type DPoP. `token_type` is the type as the server wrote it.
    pub(super) fn with_dpop_type(mut self, token_type: String) -> Self {
        let inner = self.inner();
        inner.scheme = TokenScheme::dpop(inner.access_token.expose());
        inner.token_type = token_type;
        self
    }

    /// Returns what the token was requested with.
    pub(crate) fn record(&self) -> &TokenRecord {
        &self.0.record
    }

    pub(crate) fn with_record(mut self, record: TokenRecord) -> Self {
        self.inner().record = record;
        self
    }

    /// Returns whether everything that a challenge demands was requested for the token.
    pub(crate) fn satisfies(&self, demand: &Demand, now: Now) -> bool {
        self.record().request.satisfies(demand, self.scope(), now.unix_millis() / 1000)
    }

    /// Returns when the person logged in, in Unix seconds, if the response had an ID token that says so.
    pub(crate) fn auth_time(&self) -> Option<u64> {
        auth_time(self.extra("id_token")?.as_str()?)
    }

    /// Returns the same token with what was requested for it.
    pub(crate) fn with_request(mut self, request: RequestRecord) -> Self {
        self.inner().record.request = request;
        self
    }

    /// Returns the time until the token expires, or `None` if it does not expire.
    /// Records the authorization server that has issued the token, and the address of the metadata that has named this server.
    pub(crate) fn with_issuer(mut self, issuer: &str, resource_metadata: Option<String>) -> Self {
        let record = &mut self.inner().record;
        (record.issuer, record.resource_metadata) = (Some(issuer.to_owned()), resource_metadata);
        self
    }

    /// Records the registered client to which the token was issued.
    #[cfg(feature = "loopback")]
    pub(crate) fn with_registration(mut self, registration: Option<RegistrationRecord>) -> Self {
        self.inner().record.registration = registration;
        self
    }

    #[cfg(test)]
    pub(crate) fn remaining(&self, now: Now) -> Option<Duration> {
        self.0.expiry.map(|expiry| expiry.remaining(now))
    }

    /// Returns the whole lifetime from when the token was issued, or `None` if it is unknown.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        self.0.lifetime
    }

    /// Returns whether the access tokens and the refresh tokens are the same. The expiry may differ.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.access_token() == other.access_token() && self.refresh_token() == other.refresh_token()
    }

    pub(crate) fn expiry(&self) -> Option<Deadline> {
        self.0.expiry
    }

    pub(crate) fn with_expiry(mut self, expiry: Option<Deadline>, lifetime: Option<Duration>) -> Self {
        let inner = self.inner();
        (inner.expiry, inner.lifetime) = (expiry, lifetime);
        self
    }

    pub(crate) fn without_refresh_token(mut self) -> Self {
        self.inner().refresh_token = None;
        self
    }

    /// Takes the refresh token, the scope and the authorization details from the previous token, if the response to a refresh omitted
    /// them (RFC 6749 §6, RFC 9396 §7), and what was requested for it.
    pub(crate) fn carry_over(mut self, previous: &Self) -> Self {
        let inner = self.inner();
        if inner.refresh_token.is_none() {
            inner.refresh_token.clone_from(&previous.0.refresh_token);
        }
        if inner.scope.is_none() {
            inner.scope.clone_from(&previous.0.scope);
        }
        inner.record.request.clone_from(&previous.0.record.request);
        if let Some(details) = previous.extra(DETAILS).filter(|_| inner.extra.get(DETAILS).is_none_or(Value::is_null)) {
            inner.extra.insert(DETAILS.to_owned(), details.clone());
        }
        self
    }

    pub(super) fn inner(&mut self) -> &mut TokenData {
        Arc::make_mut(&mut self.0)
    }
}

/// Two tokens are equal if their access tokens, types, expiries, refresh tokens, scopes and other members are equal.
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

/// Omits the secrets. Of the other members, only the names are printed, because an `id_token` is among them.
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

fn header(scheme: &str, access_token: &Secret) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_maybe_shared(Bytes::from(format!("{scheme} {}", access_token.expose()))).ok()?;
    header.set_sensitive(true);
    // The first clone of `Bytes` allocates their reference count. Cloning here moves this allocation out of the request.
    drop(header.clone());
    Some(header)
}
