//! The authorization server and the API without I/O: the tokens that were issued, and the responses.
//!
//! The server rotates refresh tokens. It treats a second use of one as theft and revokes the login. A token request is
//! processed when its response is sent; one that is cancelled before that has no effect.

use std::collections::BTreeMap;

/// The response to token requests that start now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Up,
    /// The connection breaks.
    Down,
    /// The response is 503, with an optional `Retry-After`.
    Busy(Option<u64>),
    /// Like `Up`, after this number of seconds.
    Slow(u64),
}

/// The credential of a token request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The client's own credentials.
    Client,
    RefreshToken(String),
}

/// The tokens of a response.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) lifetime: Option<u64>,
}

pub(crate) struct Server {
    pub(crate) mode: Mode,
    /// The lifetime of new tokens, in seconds.
    pub(crate) lifetime: Option<u64>,
    pub(crate) rotates: bool,
    /// Whether a refresh revokes the previous access token.
    pub(crate) ends_the_old: bool,
    /// Whether each login returns a refresh token.
    pub(crate) with_refresh_token: bool,
    /// Whether the API rejects all tokens.
    pub(crate) rejects_all: bool,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Refresh>,
    logins: usize,
}

struct Access {
    login: usize,
    rejected: bool,
}

struct Refresh {
    login: usize,
    revoked: bool,
    /// Whether the client was notified that the token is invalid, because it was used or rejected.
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
            rejects_all: false,
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            logins: 0,
        }
    }

    /// Logs a person in, or the client with its own credentials.
    pub(crate) fn login(&mut self, with_refresh_token: bool, lifetime: Option<u64>) -> Issued {
        self.logins += 1;
        let refresh = with_refresh_token.then(|| self.refresh_token(self.logins));
        Issued { access: self.access_token(self.logins), refresh, lifetime }
    }

    /// Returns a refresh token without an access token.
    pub(crate) fn login_elsewhere(&mut self) -> String {
        self.logins += 1;
        self.refresh_token(self.logins)
    }

    /// Processes a token request. `Ok(None)` is `invalid_grant`.
    ///
    /// # Errors
    ///
    /// Returns the fault of a client that must not send this request.
    pub(crate) fn process(&mut self, credential: &Credential) -> Result<Option<Issued>, String> {
        let Credential::RefreshToken(text) = credential else {
            return Ok(Some(self.login(self.with_refresh_token, self.lifetime)));
        };
        let token = self.refresh.get_mut(text).ok_or_else(|| format!("{text} was never issued"))?;
        let login = token.login;
        if token.over {
            self.end(login);
            return Err(format!("{text} was sent again after it was used or rejected"));
        }
        token.over = token.revoked || self.rotates;
        if token.revoked {
            return Ok(None);
        }
        if self.ends_the_old {
            self.access.values_mut().filter(|access| access.login == login).for_each(|access| access.rejected = true);
        }
        let refresh = self.rotates.then(|| self.refresh_token(login));
        Ok(Some(Issued { access: self.access_token(login), refresh, lifetime: self.lifetime }))
    }

    /// Returns whether the API accepts the token.
    ///
    /// # Errors
    ///
    /// Returns the fault of a client that must not send this request.
    pub(crate) fn accepts(&self, access: &str) -> Result<bool, String> {
        let known = self.access.get(access).ok_or_else(|| format!("{access} was never issued"))?;
        Ok(!self.rejects_all && !known.rejected)
    }

    /// Makes the API reject this token from now on.
    pub(crate) fn reject(&mut self, access: &str) {
        if let Some(access) = self.access.get_mut(access) {
            access.rejected = true;
        }
    }

    /// Logs the person out at the server: all refresh tokens are revoked. The access tokens stay valid.
    pub(crate) fn log_out(&mut self) {
        self.refresh.values_mut().for_each(|refresh| refresh.revoked = true);
    }

    fn end(&mut self, login: usize) {
        self.refresh.values_mut().filter(|refresh| refresh.login == login).for_each(|refresh| refresh.revoked = true);
        self.access.values_mut().filter(|access| access.login == login).for_each(|access| access.rejected = true);
    }

    fn access_token(&mut self, login: usize) -> String {
        let text = format!("a{}", self.access.len());
        self.access.insert(text.clone(), Access { login, rejected: false });
        text
    }

    fn refresh_token(&mut self, login: usize) -> String {
        let text = format!("r{}", self.refresh.len());
        self.refresh.insert(text.clone(), Refresh { login, revoked: false, over: false });
        text
    }
}
