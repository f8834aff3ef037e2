//! The numbers by which a token is renewed, a failure is waited out and a token call is bounded.

use std::time::Duration;

use super::OAuth2Layer;
use crate::cell::{Policy, Settings};
use crate::error::Error;

/// Numbers. They belong to the token, so they hold for every clone of the layer; for tokens and calls after the change.
///
/// The docs of [behaviour](crate::docs::behaviour) tell them together, and why each is what it is.
///
/// ```
/// use std::time::Duration;
///
/// # fn wrap(grant: tower_oauth2::grant::ClientCredentials) -> Result<(), tower_oauth2::Error> {
/// // For a server that is slow, and whose tokens live for a day.
/// let layer = tower_oauth2::OAuth2Layer::new(grant)
///     .refresh_ahead(Duration::from_secs(3600))
///     .token_deadline(Duration::from_secs(60))?;
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
impl<G, T> OAuth2Layer<G, T> {
    /// How long before its expiry a token is no longer sent: 30 s, and never more than a tenth of its lifetime. Zero sends it
    /// to its very end.
    pub fn skew(self, skew: Duration) -> Self {
        self.policy(|policy| policy.skew = skew)
    }

    /// How long before its expiry a token that is in use is renewed, while it still serves: 300 s, and never more than half
    /// of its lifetime. Zero renews it only when it has ended, and then requests wait.
    ///
    /// It comes before the [`skew`](OAuth2Layer::skew) even where that is longer: then at twice the skew.
    pub fn refresh_ahead(self, ahead: Duration) -> Self {
        self.policy(|policy| policy.ahead = ahead)
    }

    /// Which part of [`refresh_ahead`](OAuth2Layer::refresh_ahead) is left to chance, drawn anew for each token: 0.2, which is
    /// to say that it is renewed 240 to 300 s before its expiry. So a fleet that began at one moment does not renew at one.
    /// Zero leaves nothing. Without a `refresh_ahead` it has nothing to work on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) unless it is in `0.0..=0.5`.
    pub fn refresh_ahead_jitter(self, part: f64) -> Result<Self, Error> {
        part_of("refresh_ahead_jitter", part, 0.5)?;
        Ok(self.policy(|policy| policy.ahead_jitter = part))
    }

    /// The shortest time between two tries to renew a token that still serves: 30 s, and never more than a tenth of its
    /// lifetime. Zero leaves it to the back-off.
    pub fn smallest_gap(self, gap: Duration) -> Self {
        self.policy(|policy| policy.gap = gap)
    }

    /// How long a token lives that came without an expiry. By default for ever: until a server refuses it.
    /// Zero has it ended on arrival: it serves those who waited for it, and the next request waits for another.
    pub fn default_lifetime(self, lifetime: Duration) -> Self {
        self.policy(|policy| policy.default_lifetime = Some(lifetime))
    }

    /// How long to wait after a failed token call before the next: `first` (1 s), then longer each time
    /// ([`backoff_growth`](OAuth2Layer::backoff_growth)), to at most `longest` (120 s). Meanwhile requests get the error of the
    /// failure at once. What the server asks for with `Retry-After` wins.
    ///
    /// Zero tries again with the next request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when `first` is longer than `longest`.
    pub fn backoff(self, first: Duration, longest: Duration) -> Result<Self, Error> {
        if first > longest {
            return Err(Error::argument("backoff", format!("the first wait, {first:?}, is longer than {longest:?}")));
        }
        Ok(self.policy(|policy| (policy.first_backoff, policy.longest_backoff) = (first, longest)))
    }

    /// How many times longer each wait after a failure is than the one before: 1.6. One keeps them all the same.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is less than one, or no number.
    pub fn backoff_growth(self, factor: f64) -> Result<Self, Error> {
        if !(factor.is_finite() && factor >= 1.0) {
            return Err(Error::argument("backoff_growth", format!("must be 1 or more, not {factor}")));
        }
        Ok(self.policy(|policy| policy.backoff_growth = factor))
    }

    /// By which part a wait after a failure is longer or shorter by chance: 0.2. Zero leaves nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) unless it is in `0.0..=1.0`.
    pub fn backoff_jitter(self, part: f64) -> Result<Self, Error> {
        part_of("backoff_jitter", part, 1.0)?;
        Ok(self.policy(|policy| policy.backoff_jitter = part))
    }

    /// The longest wait that a server's `Retry-After` can ask for: one hour. A longer one is cut to this. Zero does not listen
    /// to the header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is more than an hour.
    pub fn longest_retry_after(self, longest: Duration) -> Result<Self, Error> {
        if longest > Duration::from_secs(60 * 60) {
            return Err(Error::argument("longest_retry_after", format!("must be one hour or less, not {longest:?}")));
        }
        Ok(self.policy(|policy| policy.longest_retry_after = longest))
    }

    /// How long one token call may take, to the last byte of its answer: 30 s.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is zero: none would have the time to succeed.
    pub fn token_deadline(self, deadline: Duration) -> Result<Self, Error> {
        if deadline.is_zero() {
            return Err(Error::argument("token_deadline", "must be more than zero"));
        }
        Ok(self.settings(|settings| settings.limits.deadline = deadline))
    }

    /// How much of an answer to a token call is read, in bytes: 1 MiB. A longer one is
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when it is zero: no token would fit.
    pub fn response_limit(self, bytes: usize) -> Result<Self, Error> {
        if bytes == 0 {
            return Err(Error::argument("response_limit", "must be more than zero"));
        }
        Ok(self.settings(|settings| settings.limits.body = bytes))
    }

    fn policy(self, change: impl FnOnce(&mut Policy)) -> Self {
        self.settings(|settings| change(&mut settings.policy))
    }

    fn settings(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.cell.configure(change);
        self
    }
}

/// A part of something, by chance.
fn part_of(name: &str, part: f64, most: f64) -> Result<(), Error> {
    if (0.0..=most).contains(&part) {
        Ok(())
    } else {
        Err(Error::argument(name, format!("must be in 0.0..={most:?}, not {part}")))
    }
}
