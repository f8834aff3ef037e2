//! The steps of a sequence.

use crate::server::Mode;

/// The settings of a sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) grant: Grant,
    /// Whether token requests use a separate service.
    pub(crate) token_service: bool,
    /// Whether the layer uses jitter, as it does by default.
    pub(crate) with_jitter: bool,
    /// Whether a refresh revokes the previous access token.
    pub(crate) ends_the_old: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// A refresh token without client credentials.
    RefreshToken,
    /// The client's own credentials.
    Client,
    /// The client's own credentials; the server also returns a refresh token.
    ClientThenRefresh,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Advances time by milliseconds.
    Pass(u64),
    Hours(u64),
    /// Advances time to that moment, plus milliseconds.
    PassTo(Moment, i64),
    Request,
    Requests(u8),
    /// A request that is retried if its token is rejected.
    Retried,
    /// Makes a service ready and keeps it.
    Ready,
    /// Calls the oldest or the newest service that is ready.
    Call {
        oldest: bool,
    },
    /// Drops the oldest or the newest waiting caller.
    Abort {
        oldest: bool,
    },
    Get,
    Refresh,
    /// Waits until no refresh is running.
    Flush,
    Invalidate,
    /// Reports a rejection of the newest token, or of the one before it.
    Reject {
        newest: bool,
    },
    Set {
        lifetime: Option<u64>,
        refresh_token: bool,
    },
    Forget,
    /// Sets the responses of the authorization server.
    Server(Mode),
    /// Sets the lifetime of new tokens, in seconds.
    Lifetime(Option<u64>),
    Rotates(bool),
    /// Logs the person out at the server.
    LogOut,
    /// Makes the API reject the newest token.
    ApiRejectsNewest,
    ApiRejectsAll(bool),
    /// Sets the delay of the API, in milliseconds.
    ApiDelay(u64),
    /// Sets whether the API's service is ready.
    ApiReady(bool),
    /// Steps the wall clock by seconds.
    Wall(i64),
    /// Adds a service of the layer, clones one, or drops one.
    Layer,
    Clone,
    Drop,
}

/// A moment that the reference computes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    Due,
    Stale,
    Expiry,
    Retry,
}

impl Setting {
    pub(crate) fn has_own_credentials(self) -> bool {
        self.grant != Grant::RefreshToken
    }

    pub(crate) fn with_refresh_tokens(self) -> bool {
        self.grant != Grant::Client
    }
}
