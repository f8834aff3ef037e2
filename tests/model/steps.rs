//! What may happen, one step after the other.

use crate::server::Mode;

/// What a sequence starts from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) grant: Grant,
    /// Whether token calls go through a service of their own, rather than through the one of the API.
    pub(crate) token_service: bool,
    /// Whether the layer leaves something to chance, as it does by default.
    pub(crate) by_chance: bool,
    /// Whether a refresh ends the access token before.
    pub(crate) ends_the_old: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// A refresh token alone.
    RefreshToken,
    /// The client's own credentials.
    Client,
    /// The same, and the server gives a refresh token along.
    ClientThenRefresh,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Milliseconds.
    Pass(u64),
    Hours(u64),
    /// To that moment, and as many milliseconds beyond.
    PassTo(Moment, i64),
    Request,
    Requests(u8),
    /// A request that is sent again when its token is refused.
    Persistent,
    /// A service becomes ready, and is kept.
    Ready,
    /// The oldest or the newest of those is called.
    Call {
        oldest: bool,
    },
    /// The oldest or the newest who waits goes away.
    Abort {
        oldest: bool,
    },
    Get,
    Refresh,
    Invalidate,
    Set {
        lifetime: Option<u64>,
        refresh_token: bool,
    },
    Forget,
    /// How the authorization server answers from now on.
    Server(Mode),
    /// Of the tokens that it issues, in seconds.
    Lifetime(Option<u64>),
    Rotates(bool),
    /// The person logs out at the server.
    LogOut,
    /// The API refuses the newest token from now on.
    Refuse,
    RefuseAll(bool),
    /// How long the API takes, in milliseconds.
    ApiDelay(u64),
    /// The API's service is ready again, or no longer.
    ApiReady(bool),
    /// The wall clock steps, by seconds.
    Wall(i64),
    /// One more service of the layer; or one less.
    Layer,
    Clone,
    Drop,
}

/// A moment that the reference knows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    Due,
    Stale,
    Expiry,
    Retry,
}

impl Setting {
    pub(crate) fn by_itself(self) -> bool {
        self.grant != Grant::RefreshToken
    }

    pub(crate) fn with_refresh_tokens(self) -> bool {
        self.grant != Grant::Client
    }
}
