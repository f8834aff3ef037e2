//! What the cell should do, as plainly as it can be said: no threads, no wakers, no futures, one thing after the other.

use tower_oauth2::ErrorKind;

use crate::held::{Chance, Held, backoff};
use crate::series::Series;
use crate::server::{Credential, Issued};
use crate::time::{Deadline, Moment, Sure};

pub(crate) struct Reference {
    chance: Chance,
    /// Whether the client has credentials of its own. If not, all it can do is to refresh.
    by_itself: bool,
    /// The refresh token that it was built with, until the server has given a newer one, or has refused one.
    preset: Option<String>,
    /// Whether that one is with the server.
    preset_is_sent: bool,
    /// The newest token there is.
    pub(crate) token: Option<Held>,
    /// Whether that one is not to be used again: invalidated, or refused.
    pub(crate) rejected: Sure,
    pub(crate) failure: Option<Failure>,
    failures_in_a_row: i32,
    series: Series,
    pub(crate) flying: bool,
    /// Counts how often the user has intervened, which lets go of a flight that is under way.
    pub(crate) epoch: usize,
    /// Whether a handle has something to send a token call through.
    pub(crate) connected: bool,
}

#[derive(Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    /// When one may try again: never, when only the user may.
    pub(crate) retry: Deadline,
}

impl Reference {
    pub(crate) fn new(preset: Option<String>, chance: Chance, connected: bool) -> Self {
        Self {
            chance,
            by_itself: preset.is_none(),
            preset,
            preset_is_sent: false,
            token: None,
            rejected: Sure::No,
            failure: None,
            failures_in_a_row: 0,
            series: Series::default(),
            flying: false,
            epoch: 0,
            connected,
        }
    }

    /// Whether a refused refresh token is not the end.
    pub(crate) fn can_do_without(&self) -> bool {
        self.by_itself
    }

    /// What the next call carries; `None` when there is nothing to carry.
    pub(crate) fn credential(&self) -> Option<Credential> {
        let refresh_token = match &self.token {
            Some(token) => token.refresh.clone(),
            None => self.preset.clone().filter(|_| !self.preset_is_sent),
        };
        refresh_token.map(Credential::RefreshToken).or_else(|| self.by_itself.then_some(Credential::Client))
    }

    /// A call begins.
    ///
    /// # Errors
    ///
    /// Why it should not.
    pub(crate) fn begin(&mut self, credential: &Credential, asked: bool, now: Moment) -> Result<(), String> {
        let flying = std::mem::replace(&mut self.flying, true);
        if flying {
            return Err("two token calls at once".into());
        }
        if self.credential().as_ref() != Some(credential) {
            return Err(format!("a call with {credential:?} and not with {:?}", self.credential()));
        }
        self.preset_is_sent |= matches!(credential, Credential::RefreshToken(_)) && self.token.is_none();
        match (asked, self.failing(now), self.usable(now), self.due(now)) {
            (true, ..) => Ok(()),
            (_, Sure::Yes, ..) => Err("a call within the back-off".into()),
            (_, _, Sure::Yes, Sure::No) => Err("a call for a new token while this one is fresh".into()),
            _ => Ok(()),
        }
    }

    /// The server has given or refused something: what the client was built with is outdated.
    pub(crate) fn heard_of_a_refresh(&mut self) {
        self.preset = None;
    }

    /// A call with this credential has ended.
    pub(crate) fn has_ended(&mut self, sent: &Credential) {
        if let (Credential::RefreshToken(sent), Some(preset)) = (sent, &self.preset) {
            self.preset_is_sent &= sent != preset;
        }
    }

    /// There is nothing to carry. What the client was built with is forgotten, if that is with the server.
    pub(crate) fn begin_in_vain(&mut self, now: Moment) {
        if self.preset_is_sent && self.token.is_none() {
            self.preset = None;
        }
        self.fail(ErrorKind::LoginNeeded, None, now);
    }

    /// The call that is under way, with this credential, has brought a token. A refresh token that it leaves out is kept.
    pub(crate) fn land(&mut self, issued: &Issued, sent: &Credential, now: Moment) {
        self.adopt(issued, now);
        if let (Some(token), Credential::RefreshToken(sent)) = (&mut self.token, sent) {
            token.refresh.get_or_insert_with(|| sent.clone());
        }
        self.flying = false;
    }

    /// The call that is under way has failed.
    pub(crate) fn land_failed(&mut self, kind: ErrorKind, retry_after: Option<u64>, now: Moment) {
        self.flying = false;
        self.fail(kind, retry_after, now);
    }

    /// The server does not know it any more.
    pub(crate) fn drop_refresh_token(&mut self) {
        if let Some(token) = &mut self.token {
            token.refresh = None;
        }
    }

    fn fail(&mut self, kind: ErrorKind, retry_after: Option<u64>, now: Moment) {
        self.failures_in_a_row += 1;
        let retry = match kind {
            ErrorKind::LoginNeeded => Deadline::NEVER,
            _ => Deadline::after(now, backoff(self.failures_in_a_row, retry_after, self.chance)),
        };
        if let Some(token) = &mut self.token {
            token.hold_out(retry, now);
        }
        self.failure = Some(Failure { kind, retry });
    }

    fn adopt(&mut self, issued: &Issued, now: Moment) {
        self.token = Some(Held::new(issued, now, self.chance));
        self.rejected = Sure::No;
        (self.failure, self.failures_in_a_row) = (None, 0);
    }

    pub(crate) fn set(&mut self, issued: &Issued, now: Moment) {
        self.let_go();
        self.adopt(issued, now);
    }

    pub(crate) fn forget(&mut self) {
        self.let_go();
        (self.token, self.rejected) = (None, Sure::No);
        (self.failure, self.failures_in_a_row) = (None, 0);
    }

    fn let_go(&mut self) {
        self.epoch += 1;
        self.flying = false;
        self.series = Series::default();
    }

    pub(crate) fn invalidate(&mut self) {
        self.rejected = Sure::Yes;
    }

    pub(crate) fn is_newest(&self, access: &str) -> bool {
        self.token.as_ref().is_some_and(|token| token.access == access)
    }

    /// The API has refused it. The first refused token is renewed at once; its successors when the back-off has passed.
    pub(crate) fn refuse(&mut self, access: &str, now: Moment) {
        if !self.is_newest(access) || self.rejected.is() {
            return;
        }
        let renew = self.series.renews(now, self.chance, self.rejected.may_be());
        self.rejected = self.rejected.or(renew);
    }

    /// The API has accepted it.
    pub(crate) fn accept(&mut self, access: &str) {
        if self.is_newest(access) {
            self.series = Series::default();
        }
    }
}
