//! The table of failures in `docs/behaviour.md`: each row with each grant, with and without a store, with and without `relogin`.

mod configuration;
mod due;
mod expired;
mod first;
mod forced;
mod harness;
mod needs_user;
mod rows;

use std::time::Duration;

use tower_oauth2::ErrorKind;

/// A time after every back-off.
const LATER: Duration = Duration::from_secs(150);

/// The meaning of a response to a refresh.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Class {
    /// The response concerns neither the refresh token nor the grant: the same request is sent after the back-off.
    Fails(ErrorKind),
    /// The refresh token is dead.
    Dead,
    /// The server rejects the refresh token in another way.
    Rejected,
    /// A proxy or gateway responded.
    NotOAuth,
}

/// The grant, which decides what can replace a refresh.
#[derive(Clone, Copy, Debug, PartialEq)]
enum GrantKind {
    ClientCredentials,
    Password,
    RefreshToken,
    #[cfg(feature = "loopback")]
    AuthorizationCode {
        relogin: bool,
    },
    DeviceCode {
        relogin: bool,
    },
}

const ALL_GRANTS: &[GrantKind] = &[
    GrantKind::ClientCredentials,
    GrantKind::Password,
    GrantKind::RefreshToken,
    #[cfg(feature = "loopback")]
    GrantKind::AuthorizationCode { relogin: false },
    #[cfg(feature = "loopback")]
    GrantKind::AuthorizationCode { relogin: true },
    GrantKind::DeviceCode { relogin: false },
    GrantKind::DeviceCode { relogin: true },
];

impl GrantKind {
    /// Whether the grant needs no person.
    fn is_repeatable(self) -> bool {
        matches!(self, Self::ClientCredentials | Self::Password)
    }

    /// Whether a person can log in.
    fn is_interactive(self) -> bool {
        !self.is_repeatable() && self != Self::RefreshToken
    }

    /// Whether a request may start another login.
    fn may_log_in(self) -> bool {
        match self {
            #[cfg(feature = "loopback")]
            Self::AuthorizationCode { relogin } => relogin,
            Self::DeviceCode { relogin } => relogin,
            _ => false,
        }
    }
}
