//! Decides when a grant may ask the user to log in.

use super::Reason;

/// Decides whether a call of a grant may start a login. All interactive grants share it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoginPolicy {
    relogin: bool,
    on_request: bool,
}

impl Default for LoginPolicy {
    fn default() -> Self {
        Self { relogin: false, on_request: true }
    }
}

impl LoginPolicy {
    pub(super) fn set_relogin(&mut self, relogin: bool) {
        self.relogin = relogin;
    }

    pub(super) fn set_on_request(&mut self, on_request: bool) {
        self.on_request = on_request;
    }

    /// Returns whether a login may start for this reason: the first login, or another one after the refresh token is dead
    /// (RFC 8628 §3.1).
    pub(super) fn allows(self, reason: Reason, is_first: bool) -> bool {
        match reason {
            Reason::Forced => true,
            Reason::Proactive => false,
            _ => self.on_request && self.would_allow(reason, is_first),
        }
    }

    /// Returns whether another login may start because an API demands it. `OAuth2Layer::step_up` is the consent.
    pub(super) fn allows_step_up(self, reason: Reason) -> bool {
        self.on_request || reason == Reason::Forced
    }

    /// Returns whether `login_on_request(false)` is the only reason why a login may not start.
    pub(super) fn waits_for_refresh(self, reason: Reason, is_first: bool) -> bool {
        !self.on_request && self.would_allow(reason, is_first)
    }

    fn would_allow(self, reason: Reason, is_first: bool) -> bool {
        match reason {
            Reason::Forced | Reason::Proactive => false,
            Reason::Missing | Reason::Rejected | Reason::Challenged => is_first || self.relogin,
        }
    }
}

/// Defines the options of interactive grants as methods of each grant. They set the field `logins`.
macro_rules! login_options {
    ($(#[$attribute:meta])* $grant:ident) => {
        /// Options that decide when the user is asked to log in.
        $(#[$attribute])*
        impl $grant {
            /// Sets whether a request may start *another* login when the refresh token is dead. The default is `false`.
            ///
            /// With `false`, requests fail with [`ErrorKind::LoginRequired`](crate::ErrorKind::LoginRequired) until
            /// [`Tokens::refresh`](crate::Tokens::refresh) starts a login ([RFC 8628 §3.1]).
            ///
            /// [RFC 8628 §3.1]: https://www.rfc-editor.org/rfc/rfc8628#section-3.1
            #[must_use]
            pub fn relogin(mut self, relogin: bool) -> Self {
                self.logins.set_relogin(relogin);
                self
            }

            /// Sets whether a request may start a login at all. The default is `true`.
            ///
            /// With `false`, only [`Tokens::refresh`](crate::Tokens::refresh) starts a login, including the first one. It takes
            /// precedence over [`relogin`](Self::relogin). Until then, requests fail with
            /// [`ErrorKind::LoginRequired`](crate::ErrorKind::LoginRequired). Set it in programs that no user watches, such as a
            /// server, a cron job or a command in a pipe.
            #[must_use]
            pub fn login_on_request(mut self, login_on_request: bool) -> Self {
                self.logins.set_on_request(login_on_request);
                self
            }
        }
    };
}

pub(super) use login_options;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_starts_when_the_options_allow_it() {
        use Reason::{Challenged, Forced, Missing, Proactive, Rejected};
        for (relogin, on_request, is_first, allowed) in [
            (false, true, true, &[Missing, Rejected, Challenged, Forced][..]),
            (false, true, false, &[Forced]),
            (true, true, false, &[Missing, Rejected, Challenged, Forced]),
            (true, false, true, &[Forced]),
            (true, false, false, &[Forced]),
            (false, false, true, &[Forced]),
        ] {
            for reason in [Missing, Proactive, Forced, Rejected, Challenged] {
                let policy = LoginPolicy { relogin, on_request };
                assert_eq!(
                    policy.allows(reason, is_first),
                    allowed.contains(&reason),
                    "{policy:?} {reason:?} {is_first}"
                );
            }
        }
    }
}
