//! Timing and limits.

use std::sync::Arc;
use std::time::Duration;

use crate::cell::{Options, Timing};
use crate::error::Error;
use crate::layer::OAuth2Layer;

/// Timing and limits. These options are shared by all clones of the layer.
///
/// [Behaviour](crate::docs::behaviour#timing) explains how they interact, and the reason for each default.
///
/// ```
/// use std::time::Duration;
///
/// # fn wrap(grant: tower_oauth2::grant::ClientCredentials) -> Result<(), tower_oauth2::Error> {
/// // For a slow server, whose tokens are valid for a day.
/// let layer = tower_oauth2::OAuth2Layer::new(grant)
///     .refresh_ahead(Duration::from_secs(3600))
///     .token_timeout(Duration::from_secs(60))?;
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
impl<G, T> OAuth2Layer<G, T> {
    /// Sets how long before its expiry a token is no longer sent. Default: 30 s, and at most a tenth of its lifetime.
    ///
    /// Zero sends it until it expires.
    pub fn clock_skew(self, skew: Duration) -> Self {
        self.timing(|timing| timing.clock_skew = skew)
    }

    /// Sets the refresh-ahead window: how long before its expiry a token in use is refreshed in the background. Default: 300 s, and at
    /// most half of its lifetime.
    ///
    /// Zero refreshes it only after it has expired, while requests wait. If the [`clock_skew`](OAuth2Layer::clock_skew) is longer than the
    /// window, the window is twice the clock skew.
    #[doc(alias = "expire")]
    pub fn refresh_ahead(self, ahead: Duration) -> Self {
        self.timing(|timing| timing.refresh_ahead = ahead)
    }

    /// Sets the jitter for [`refresh_ahead`](OAuth2Layer::refresh_ahead), as a fraction of it. Default: 0.2, which refreshes a token 240 to
    /// 300 s before its expiry.
    ///
    /// It is drawn once per token, so that processes which were started at the same time refresh at different times. Zero disables it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) unless `fraction` is in `0.0..=0.5`.
    pub fn refresh_ahead_jitter(self, fraction: f64) -> Result<Self, Error> {
        check_fraction("refresh_ahead_jitter", fraction, 0.5)?;
        Ok(self.timing(|timing| timing.refresh_ahead_jitter = fraction))
    }

    /// Sets the minimum interval between two attempts to refresh a token in use. Default: 30 s, and at most a tenth of its lifetime.
    ///
    /// With zero, only the back-off limits the attempts.
    pub fn min_refresh_interval(self, interval: Duration) -> Self {
        self.timing(|timing| timing.min_refresh_interval = interval)
    }

    /// Sets the lifetime of tokens without an expiry. By default they do not expire, and are refreshed after a rejection.
    ///
    /// With zero they have expired when they arrive: waiters use them once, and the next request waits for another token.
    pub fn default_lifetime(self, lifetime: Duration) -> Self {
        self.timing(|timing| timing.default_lifetime = Some(lifetime))
    }

    /// Sets the back-off after failed refreshes. Default: `initial` 1 s, `max` 120 s.
    ///
    /// Each failure in a row multiplies the wait by the [`backoff_multiplier`](OAuth2Layer::backoff_multiplier), up to `max`. During the
    /// back-off, requests without a token fail at once with the cached error. `Retry-After` can lengthen the wait. With zero, each request
    /// starts a refresh.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `initial` is longer than `max`.
    pub fn backoff(self, initial: Duration, max: Duration) -> Result<Self, Error> {
        if initial > max {
            return Err(Error::argument("backoff", format!("the initial wait, {initial:?}, is longer than {max:?}")));
        }
        Ok(self.timing(|timing| (timing.initial_backoff, timing.max_backoff) = (initial, max)))
    }

    /// Sets the factor by which each failure in a row lengthens the back-off. Default: 1.6.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `factor` is less than 1, infinite or not a number.
    pub fn backoff_multiplier(self, factor: f64) -> Result<Self, Error> {
        if !(factor.is_finite() && factor >= 1.0) {
            return Err(Error::argument("backoff_multiplier", format!("must be 1 or more, not {factor}")));
        }
        Ok(self.timing(|timing| timing.backoff_multiplier = factor))
    }

    /// Sets the jitter for the back-off, as a fraction of it. Default: 0.2, which is ±20 %.
    ///
    /// Zero disables it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) unless `fraction` is in `0.0..=1.0`.
    pub fn backoff_jitter(self, fraction: f64) -> Result<Self, Error> {
        check_fraction("backoff_jitter", fraction, 1.0)?;
        Ok(self.timing(|timing| timing.backoff_jitter = fraction))
    }

    /// Sets the maximum `Retry-After` of a server that is respected. Default: one hour. A longer one is reduced to `max`.
    ///
    /// The header can only lengthen the back-off, and the jitter of the back-off is added to it. Zero ignores the header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `max` is more than an hour.
    pub fn max_retry_after(self, max: Duration) -> Result<Self, Error> {
        if max > Duration::from_secs(60 * 60) {
            return Err(Error::argument("max_retry_after", format!("must be one hour or less, not {max:?}")));
        }
        Ok(self.timing(|timing| timing.max_retry_after = max))
    }

    /// Sets the timeout of one token request, until the last byte of its response. Default: 30 s.
    ///
    /// It also limits how long callers wait for a refresh whose runtime makes no progress.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `timeout` is zero.
    pub fn token_timeout(self, timeout: Duration) -> Result<Self, Error> {
        if timeout.is_zero() {
            return Err(Error::argument("token_timeout", "must be more than zero"));
        }
        Ok(self.options(|options| options.limits.timeout = timeout))
    }

    /// Sets the maximum size of the response to a token request, in bytes. Default: 1 MiB.
    ///
    /// The limit also applies to the decoded size of a compressed response. A larger response is
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `bytes` is zero.
    pub fn max_response_size(self, bytes: usize) -> Result<Self, Error> {
        if bytes == 0 {
            return Err(Error::argument("max_response_size", "must be more than zero"));
        }
        Ok(self.options(|options| options.limits.max_response_size = bytes))
    }

    /// Sets the maximum time that a request waits for a token. By default there is no limit.
    ///
    /// After `max`, `call` returns [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), and the refresh continues for later requests. Use it for
    /// clients that wait for readiness themselves and whose request timeout does not include that wait, such as tonic's. With zero, a
    /// request without a token starts a refresh and fails at once. [`Tokens`](crate::Tokens) are not limited by it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn wrap(grant: tower_oauth2::grant::ClientCredentials) {
    /// let layer = tower_oauth2::OAuth2Layer::new(grant).max_wait(Duration::from_millis(500));
    /// # let _ = layer;
    /// # }
    /// ```
    pub fn max_wait(self, max: Duration) -> Self {
        self.options(|options| options.max_wait = Some(max))
    }

    /// Sets the scheme before the token in the header. Default: `Bearer`.
    ///
    /// It has no effect on a token that is bound to a [DPoP key](crate::docs::dpop): its scheme is always `DPoP`. It is for APIs with a proprietary
    /// scheme:
    ///
    /// ```
    /// # fn main() -> Result<(), tower_oauth2::Error> {
    /// # use tower_oauth2::{OAuth2Layer, Token, client::Client, grant::ClientCredentials};
    /// # let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
    /// let layer = OAuth2Layer::new(grant).authorization_scheme("Zoho-oauthtoken")?;
    /// # let _ = layer;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) unless `scheme` is a token of [RFC 9110 §5.6.2], such as `Bearer`.
    ///
    /// [RFC 9110 §5.6.2]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
    pub fn authorization_scheme(self, scheme: &str) -> Result<Self, Error> {
        let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if scheme.is_empty() || !scheme.bytes().all(is_tchar) {
            let why = "must be letters, digits and hyphens, such as `Bearer`, without a space";
            return Err(Error::argument("authorization_scheme", why));
        }
        Ok(self.options(|options| options.scheme = Arc::from(scheme)))
    }

    fn timing(self, change: impl FnOnce(&mut Timing)) -> Self {
        self.options(|options| change(&mut options.timing))
    }

    fn options(self, change: impl FnOnce(&mut Options)) -> Self {
        self.cell.set_options(change);
        self
    }
}

fn check_fraction(name: &str, fraction: f64, max: f64) -> Result<(), Error> {
    if (0.0..=max).contains(&fraction) {
        Ok(())
    } else {
        Err(Error::argument(name, format!("must be in 0.0..={max:?}, not {fraction}")))
    }
}
