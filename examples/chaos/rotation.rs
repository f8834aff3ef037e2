//! Rotation of refresh tokens: each is used once, and its response contains the next. They are numbers, beginning with 0.
//!
//! Reuse of an old refresh token ends the login (RFC 9700 §4.14.2). The previous one is accepted until its successor is used:
//! otherwise a lost response would end the login. Servers that rotate have a grace period for the same reason.

#[derive(Default)]
pub(crate) struct Rotation {
    newest: u64,
    ended: bool,
}

/// The outcome of presenting a refresh token.
pub(crate) enum Presented {
    /// It is the newest, and is replaced.
    Rotated,
    /// It is the previous one.
    Previous,
    /// It is older: the login ends.
    Reused,
    /// The login has ended.
    LoginEnded,
}

impl Rotation {
    pub(crate) fn present(&mut self, number: u64) -> Presented {
        if self.ended {
            Presented::LoginEnded
        } else if number == self.newest {
            self.newest += 1;
            Presented::Rotated
        } else if number + 1 == self.newest {
            Presented::Previous
        } else {
            self.ended = true;
            Presented::Reused
        }
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }
}
