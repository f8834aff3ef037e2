//! Refresh tokens that rotate: each is used once, and brings the next. They are numbers, beginning with 0.
//!
//! One that was used long ago means a thief, and the login ends. The last one but one is accepted again as long as nobody
//! has used its successor, for no client can keep a login whose only copy was lost on the way. Servers that rotate have that
//! grace for the same reason.

#[derive(Default)]
pub(crate) struct Rotation {
    newest: u64,
    ended: bool,
}

/// What is done with a refresh token.
pub(crate) enum Presented {
    /// It is the newest, and makes room for the next.
    Rotated,
    /// It is the last one but one.
    Again,
    /// It is older: the login ends here.
    Reused,
    /// The login has ended.
    Over,
}

impl Rotation {
    pub(crate) fn present(&mut self, number: u64) -> Presented {
        if self.ended {
            Presented::Over
        } else if number == self.newest {
            self.newest += 1;
            Presented::Rotated
        } else if number + 1 == self.newest {
            Presented::Again
        } else {
            self.ended = true;
            Presented::Reused
        }
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }
}
