//! The authorization server and the API, without any I/O: who was given what, and what is answered.
//!
//! It rotates refresh tokens, and takes a second use of one for theft, which ends all that came of that login. A call is
//! processed in one moment, when it is answered; one that is given up before that has had no effect.

use std::collections::BTreeMap;

/// How the authorization server answers a call that begins now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Up,
    /// The connection breaks.
    Down,
    /// 503, perhaps with `Retry-After`.
    Busy(Option<u64>),
    /// As `Up`, after this many seconds.
    Slow(u64),
}

/// What a token call carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The client's own.
    Client,
    RefreshToken(String),
}

/// What it brings.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) lifetime: Option<u64>,
}

pub(crate) struct Server {
    pub(crate) mode: Mode,
    /// Of the tokens that are issued from now on, in seconds.
    pub(crate) lifetime: Option<u64>,
    pub(crate) rotates: bool,
    /// Whether a refresh ends the access token before.
    pub(crate) ends_the_old: bool,
    /// Whether a refresh token comes with every login.
    pub(crate) with_refresh_token: bool,
    /// Whether the API refuses everybody.
    pub(crate) refuses_all: bool,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
    logins: usize,
}

struct Access {
    login: usize,
    refused: bool,
}

struct Refresh {
    login: usize,
    revoked: bool,
    /// Whether the client was told that it is good for nothing any more: used up, or refused.
    over: bool,
}

impl Server {
    pub(crate) fn new(with_refresh_token: bool, ends_the_old: bool) -> Self {
        Self {
            mode: Mode::Up,
            lifetime: Some(3600),
            rotates: true,
            ends_the_old,
            with_refresh_token,
            refuses_all: false,
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            logins: 0,
        }
    }

    /// A person logs in, or the client does by itself.
    pub(crate) fn login(&mut self, with_refresh_token: bool, lifetime: Option<u64>) -> Issued {
        self.logins += 1;
        let refresh = with_refresh_token.then(|| self.refresh_token(self.logins));
        Issued { access: self.access_token(self.logins), refresh, lifetime }
    }

    /// A refresh token without an access token.
    pub(crate) fn login_elsewhere(&mut self) -> String {
        self.logins += 1;
        self.refresh_token(self.logins)
    }

    /// Processes a call. `Ok(None)` is `invalid_grant`.
    ///
    /// # Errors
    ///
    /// What no client should do.
    pub(crate) fn process(&mut self, credential: &Credential) -> Result<Option<Issued>, String> {
        let Credential::RefreshToken(text) = credential else {
            return Ok(Some(self.login(self.with_refresh_token, self.lifetime)));
        };
        let token = self.refresh.get_mut(text).ok_or_else(|| format!("nobody ever gave out {text}"))?;
        let login = token.login;
        if token.over {
            self.end(login);
            return Err(format!("{text} was sent again, and it is over"));
        }
        token.over = token.revoked || self.rotates;
        if token.revoked {
            return Ok(None);
        }
        if self.ends_the_old {
            self.access.values_mut().filter(|access| access.login == login).for_each(|access| access.refused = true);
        }
        let refresh = self.rotates.then(|| self.refresh_token(login));
        Ok(Some(Issued { access: self.access_token(login), refresh, lifetime: self.lifetime }))
    }

    /// The API's answer: whether it accepts.
    ///
    /// # Errors
    ///
    /// What no client should do.
    pub(crate) fn accepts(&self, access: &str) -> Result<bool, String> {
        let known = self.access.get(access).ok_or_else(|| format!("nobody ever gave out {access}"))?;
        Ok(!self.refuses_all && !known.refused)
    }

    /// The API refuses this one from now on.
    pub(crate) fn refuse(&mut self, access: &str) {
        if let Some(access) = self.access.get_mut(access) {
            access.refused = true;
        }
    }

    /// The person logs out at the server: no refresh token is good for anything any more. The access tokens live on.
    pub(crate) fn log_out(&mut self) {
        self.refresh.values_mut().for_each(|refresh| refresh.revoked = true);
    }

    fn end(&mut self, login: usize) {
        self.refresh.values_mut().filter(|refresh| refresh.login == login).for_each(|refresh| refresh.revoked = true);
        self.access.values_mut().filter(|access| access.login == login).for_each(|access| access.refused = true);
    }

    fn access_token(&mut self, login: usize) -> String {
        let text = format!("a{}", self.access.len());
        self.access.insert(text.clone(), Access { login, refused: false });
        text
    }

    fn refresh_token(&mut self, login: usize) -> String {
        let text = format!("r{}", self.refresh.len());
        self.refresh.insert(text.clone(), Refresh { login, revoked: false, over: false });
        text
    }
}
