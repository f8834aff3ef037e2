//! The claims of a signed token (RFC 7519 §4.1, RFC 7523 §3).

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{Source, SourceContext};
use crate::clock;
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::jose::{AlgorithmFamily, BoxSigner, Draft, Members, Signer};
use crate::random;

/// Claims that have a method of their own.
const OWN: [&str; 6] = ["iss", "sub", "aud", "exp", "iat", "jti"];

/// The claims of a token that a [`Signer`] signs again for each request: a client's assertion, the assertion of the JWT bearer grant, or
/// the [request object](crate::grant::AuthorizationCode::request_object) of a login.
///
/// Each token has a fresh `jti`, and the time in `iat` and `exp`, in whole seconds. Only a request object has an `nbf`, because servers with
/// a slow clock reject it.
///
/// ```
/// use std::time::Duration;
/// use tower_oauth2::jwt::{Claims, Key};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_oauth2::Error> {
/// let claims = Claims::signed_by(Key::generate()?)
///     .issuer("robot@project.example.com")
///     .audience("https://auth.example.com/token")
///     .claim("scope", "read")
///     .lifetime(Duration::from_secs(3600));
/// assert_eq!(claims.sign().await?.split('.').count(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Claims {
    signer: BoxSigner,
    family: AlgorithmFamily,
    pub(super) typ: Option<String>,
    pub(super) has_typ: bool,
    client: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) audience: Option<String>,
    lifetime: Duration,
    backdate: Duration,
    pub(super) further: Members,
}

impl Claims {
    /// Creates claims without issuer, subject and audience, which live for 60 s.
    pub fn signed_by(signer: impl Signer) -> Self {
        Self {
            signer: BoxSigner::new(signer),
            family: AlgorithmFamily::Asymmetric,
            typ: Some("JWT".to_owned()),
            has_typ: false,
            client: None,
            issuer: None,
            subject: None,
            audience: None,
            lifetime: Duration::from_secs(60),
            backdate: Duration::ZERO,
            further: Members::default(),
        }
    }

    /// Sets the audience (`aud`): the only one, as text. By default it is the issuer of the authorization server, if it is known.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets the issuer (`iss`). A client's assertion and a request object have the client id, and nothing else.
    #[must_use]
    pub fn issuer(mut self, iss: impl Into<String>) -> Self {
        self.issuer = Some(iss.into());
        self
    }

    /// Sets the subject (`sub`): the user that the token is for. Without it, the claim is left out. A client's assertion has the client
    /// id, and nothing else.
    #[must_use]
    pub fn subject(mut self, sub: impl Into<String>) -> Self {
        self.subject = Some(sub.into());
        self
    }

    /// Sets a further claim, such as Google's `scope`. A claim of this name that was set before is replaced.
    ///
    /// `iss`, `sub` and `aud` have methods of their own, and `exp`, `iat` and `jti` are new in each token: the builder returns an error for
    /// those.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.further.set(name, value);
        self
    }

    /// Sets how long the token is valid; 60 s by default. Many servers reject more than 5 minutes. Less than a second is an error of the
    /// builder.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Puts `iat` this far into the past, for a server whose clock is slow; 0 by default. The expiry stays.
    #[must_use]
    pub fn backdate(mut self, by: Duration) -> Self {
        self.backdate = by;
        self
    }

    /// Sets the `typ` of the header; `None` leaves it out. By default a client's assertion has `client-authentication+jwt`, a request
    /// object has `oauth-authz-req+jwt`, and others have `JWT`.
    #[must_use]
    pub fn typ(mut self, typ: Option<&str>) -> Self {
        self.typ = typ.map(str::to_owned);
        self.has_typ = true;
        self
    }

    /// Signs a token of these claims alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for claims that the builder would reject, except for a missing issuer or audience. The errors of the
    /// signer pass unchanged.
    pub async fn sign(&self) -> Result<String, Error> {
        self.check_values()?;
        self.signed(self.audience.as_deref()).await
    }

    /// Makes these the claims of a client's own assertion.
    pub(crate) fn of_client(mut self, client: &str) -> Self {
        self.client = Some(client.to_owned());
        if !self.has_typ {
            self.typ = Some("client-authentication+jwt".to_owned());
        }
        self
    }

    #[cfg(feature = "jwt")]
    pub(crate) fn signed_by_secret(signer: impl Signer) -> Self {
        Self { family: AlgorithmFamily::Hmac, ..Self::signed_by(signer) }
    }

    pub(super) fn check_values(&self) -> Result<(), Error> {
        if let Some((name, _)) = self.further.iter().find(|(name, _)| OWN.contains(name)) {
            return Err(Error::argument("claims", format!("`{name}` cannot be set by `claim`")));
        }
        if self.lifetime < Duration::from_secs(1) {
            return Err(Error::argument("claims", "the lifetime is less than a second"));
        }
        if let Some(client) = &self.client
            && [&self.issuer, &self.subject].into_iter().flatten().any(|own| own != client)
        {
            return Err(Error::argument(
                "claims",
                "issuer and subject of a client's assertion are the client id (RFC 7523 §3); leave them out",
            ));
        }
        Ok(())
    }

    async fn signed(&self, audience: Option<&str>) -> Result<String, Error> {
        let mut claims = Members::default();
        let issuer = self.client.as_ref().or(self.issuer.as_ref());
        let subject = self.client.as_ref().or(self.subject.as_ref());
        for (name, value) in
            [("iss", issuer.map(String::as_str)), ("sub", subject.map(String::as_str)), ("aud", audience)]
        {
            if let Some(value) = value {
                claims.set(name, value);
            }
        }
        let (issued_at, expires_at) = self.times();
        claims.set("exp", expires_at);
        claims.set("iat", issued_at);
        claims.set("jti", random::text()?.as_str());
        for (name, value) in self.further.iter() {
            claims.set(name, value.clone());
        }
        self.sign_members(self.typ.as_deref(), claims).await
    }

    /// Returns `iat` and `exp` of a token that is signed now.
    pub(super) fn times(&self) -> (u64, u64) {
        let now = unix_seconds(clock::now().wall());
        (now.saturating_sub(self.backdate.as_secs()), now.saturating_add(self.lifetime.as_secs()))
    }

    pub(super) async fn sign_members(&self, typ: Option<&str>, claims: Members) -> Result<String, Error> {
        let signed = self.signer.sign(Draft::new(typ, self.family, claims)).await?;
        signed.check()?;
        Ok(signed.as_str().to_owned())
    }
}

/// Rounds down: servers reject a time in the future, even by milliseconds.
fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Source for Claims {
    async fn fetch(&self, cx: SourceContext) -> Result<String, Error> {
        self.check(cx.issuer())?;
        self.signed(self.audience.as_deref().or(cx.issuer())).await
    }

    fn check(&self, issuer: Option<&str>) -> Result<(), Error> {
        self.check_values()?;
        if self.client.is_none() && self.issuer.is_none() {
            return Err(Error::argument(
                "claims",
                "an assertion needs an issuer (RFC 7523 §3); set it with `Claims::issuer`",
            ));
        }
        if self.audience.is_none() && issuer.is_none() {
            return Err(Error::argument(
                "claims",
                "the audience is not known; set it with `audience`: the issuer of the authorization server, or for some servers the \
                 address of the token endpoint",
            ));
        }
        Ok(())
    }
}

impl<S: Signer> From<S> for Claims {
    fn from(signer: S) -> Self {
        Self::signed_by(signer)
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("typ", &self.typ)
            .field("issuer", &self.client.as_ref().or(self.issuer.as_ref()))
            .field("audience", &self.audience)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
