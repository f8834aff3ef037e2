//! A simple implementation of the cell's behaviour, without threads, wakers or futures.

use tower_oauth2::ErrorKind;

use crate::model_token::{JitterRange, ModelToken, backoff};
use crate::rejection_series::Series;
use crate::server::{Credential, Issued};
use crate::time::{Certainty, Deadline, Moment};

pub(crate) struct Reference {
    pub(crate) jitter: JitterRange,
    /// Whether the client has its own credentials. Otherwise it can only refresh.
    has_own_credentials: bool,
    /// The refresh token of the configuration, until the server has replaced or rejected it.
    preset: Option<String>,
    /// Whether a token request with it is running.
    preset_is_sent: bool,
    /// The newest token of the cell.
    pub(crate) token: Option<ModelToken>,
    /// Whether the user has invalidated it, so that it is not sent.
    pub(crate) invalidated: bool,
    /// Whether it is not sent while it is refreshed, because it was rejected and no response has accepted it.
    pub(crate) withheld: Certainty,
    /// Whether the API has accepted it.
    pub(crate) accepted: bool,
    pub(crate) failure: Option<Failure>,
    failures_in_a_row: i32,
    pub(crate) series: Series,
    pub(crate) refreshing: bool,
    /// Whether the refresh was started while the token was in use.
    ahead: Certainty,
    /// Whether a refresh has started in this step, and its token request has not.
    pub(crate) starting: Certainty,
    /// Whether that refresh is caused by a rejection.
    pub(crate) rejection_refresh: Certainty,
    /// Whether a refresh has started in this step that ends without a token request.
    pub(crate) fails_without_request: bool,
    /// The number of interventions of the user, each of which supersedes a running refresh.
    pub(crate) epoch: usize,
    /// Whether a handle has a service for token requests.
    pub(crate) connected: bool,
}

#[derive(Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    /// The end of the back-off: never, if only the user can start the next attempt.
    pub(crate) retry: Deadline,
    /// Whether callers get this error.
    pub(crate) certain: Certainty,
}

impl Reference {
    pub(crate) fn new(preset: Option<String>, jitter: JitterRange, connected: bool) -> Self {
        Self {
            jitter,
            has_own_credentials: preset.is_none(),
            preset,
            preset_is_sent: false,
            token: None,
            invalidated: false,
            withheld: Certainty::No,
            accepted: false,
            failure: None,
            failures_in_a_row: 0,
            series: Series::default(),
            refreshing: false,
            ahead: Certainty::No,
            starting: Certainty::No,
            rejection_refresh: Certainty::No,
            fails_without_request: false,
            epoch: 0,
            connected,
        }
    }

    /// Returns whether the client can continue after its refresh token was rejected.
    pub(crate) fn has_other_credentials(&self) -> bool {
        self.has_own_credentials
    }

    /// Returns the credential of the next token request, or `None` if there is none.
    pub(crate) fn credential(&self) -> Option<Credential> {
        let refresh_token = match &self.token {
            Some(token) => token.refresh.clone(),
            None => self.preset.clone().filter(|_| !self.preset_is_sent),
        };
        refresh_token.map(Credential::RefreshToken).or_else(|| self.has_own_credentials.then_some(Credential::Client))
    }

    /// Records the start of a token request.
    ///
    /// # Errors
    ///
    /// Returns why the token request should not start.
    pub(crate) fn begin(&mut self, credential: &Credential, started: bool, now: Moment) -> Result<(), String> {
        let refreshing = std::mem::replace(&mut self.refreshing, true);
        if refreshing {
            return Err("two token requests at once".into());
        }
        if self.credential().as_ref() != Some(credential) {
            return Err(format!("a token request with {credential:?} instead of {:?}", self.credential()));
        }
        self.preset_is_sent |= matches!(credential, Credential::RefreshToken(_)) && self.token.is_none();
        self.starting = Certainty::No;
        let rejection_refresh = std::mem::replace(&mut self.rejection_refresh, Certainty::No);
        self.ahead = if started || rejection_refresh.is() { Certainty::No } else { self.in_use(now) };
        if rejection_refresh == Certainty::Perhaps {
            self.ahead = self.ahead.and(Certainty::Perhaps);
        }
        match (started, self.failing(now), self.usable(now), self.due(now)) {
            (true, ..) => Ok(()),
            (_, Certainty::Yes, ..) => Err("a token request within the back-off".into()),
            (_, _, Certainty::Yes, Certainty::No) if rejection_refresh == Certainty::No => {
                Err("a token request while the token is fresh".into())
            }
            _ => Ok(()),
        }
    }

    /// Records that the server has answered a refresh, so that the configured refresh token is outdated.
    pub(crate) fn refresh_answered(&mut self) {
        self.preset = None;
    }

    /// Records the end of a token request with this credential.
    pub(crate) fn has_ended(&mut self, sent: &Credential) {
        if let (Credential::RefreshToken(sent), Some(preset)) = (sent, &self.preset) {
            self.preset_is_sent &= sent != preset;
        }
    }

    /// Records that a caller starts a refresh in this step.
    pub(crate) fn starts(&mut self, call: Certainty) {
        self.starting = self.starting.or(call);
    }

    /// Records that nothing runs until the next step.
    pub(crate) fn check_idle(&mut self) {
        (self.starting, self.rejection_refresh) = (Certainty::No, Certainty::No);
        if std::mem::take(&mut self.fails_without_request) && !self.refreshing {
            // Without a transport it is withheld until the next request, and the order of the two events is unknown.
            self.withheld = self.withheld.and(Certainty::perhaps_if(!self.connected));
        }
    }

    /// Records a refresh that fails without a token request, because there is no credential. A configured refresh token that is being
    /// sent is forgotten.
    ///
    /// `ahead` is for a token in use, whose callers do not get the error.
    pub(crate) fn fail_without_request(&mut self, ahead: Certainty, now: Moment) {
        if self.preset_is_sent && self.token.is_none() {
            self.preset = None;
        }
        self.fails_without_request = true;
        self.fail(ErrorKind::LoginRequired, None, ahead, now);
    }

    /// Records a token as the result of the running token request. A refresh token that the response omits is kept.
    pub(crate) fn complete(&mut self, issued: &Issued, sent: &Credential, now: Moment) {
        self.adopt(issued, now);
        if let (Some(token), Credential::RefreshToken(sent)) = (&mut self.token, sent) {
            token.refresh.get_or_insert_with(|| sent.clone());
        }
        self.refreshing = false;
    }

    /// Records that the running token request has failed.
    pub(crate) fn complete_with_error(&mut self, kind: ErrorKind, retry_after: Option<u64>, now: Moment) {
        self.refreshing = false;
        self.fail(kind, retry_after, self.ahead, now);
    }

    /// Drops the refresh token, because the server does not accept it.
    pub(crate) fn drop_refresh_token(&mut self) {
        if let Some(token) = &mut self.token {
            token.refresh = None;
        }
    }

    fn fail(&mut self, kind: ErrorKind, retry_after: Option<u64>, ahead: Certainty, now: Moment) {
        self.withheld = Certainty::No;
        self.series.refresh_ended(now, false);
        let void = if kind == ErrorKind::LoginRequired { ahead } else { Certainty::No };
        if !void.is() {
            self.failures_in_a_row += 1;
        }
        let retry = match kind {
            ErrorKind::LoginRequired => Deadline::NEVER,
            _ => Deadline::after(now, backoff(self.failures_in_a_row, retry_after, self.jitter)),
        };
        if let Some(token) = &mut self.token {
            token.extend_to_expiry(retry, now);
        }
        if !void.is() {
            self.failure = Some(Failure { kind, retry, certain: void.not() });
        }
    }

    fn adopt(&mut self, issued: &Issued, now: Moment) {
        self.token = Some(ModelToken::new(issued, now, self.jitter));
        (self.invalidated, self.withheld, self.accepted) = (false, Certainty::No, false);
        (self.failure, self.failures_in_a_row) = (None, 0);
        self.series.refresh_ended(now, true);
    }

    pub(crate) fn set(&mut self, issued: &Issued, now: Moment) {
        self.supersede();
        self.adopt(issued, now);
    }

    pub(crate) fn forget(&mut self) {
        self.supersede();
        (self.token, self.invalidated, self.withheld, self.accepted) = (None, false, Certainty::No, false);
        (self.failure, self.failures_in_a_row) = (None, 0);
    }

    fn supersede(&mut self) {
        self.epoch += 1;
        self.refreshing = false;
        self.series = Series::default();
    }

    pub(crate) fn is_newest(&self, access: &str) -> bool {
        self.token.as_ref().is_some_and(|token| token.access == access)
    }
}
