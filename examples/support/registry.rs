use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The tokens that are good at this moment. The authorization server writes here, the protected services read, and a
/// clone is the same registry.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<State>>);

/// What one consent has brought: all its tokens end together when one of them turns out to be stolen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Login(usize);

#[derive(Default)]
struct State {
    logins: usize,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
}

struct Access {
    login: Login,
    ends: Instant,
}

struct Refresh {
    login: Login,
    client: String,
    spent: bool,
}

impl Registry {
    pub(crate) fn begin_login(&self) -> Login {
        let mut state = self.lock();
        state.logins += 1;
        Login(state.logins)
    }

    /// A new access token.
    pub(crate) fn issue(&self, login: Login, lifetime: Duration) -> String {
        let token = opaque();
        let access = Access { login, ends: Instant::now() + lifetime };
        self.lock().access.insert(token.clone(), access);
        token
    }

    /// Whether the access token was issued here and has not ended yet.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        self.login_of(token).is_some()
    }

    /// The login that a good access token belongs to.
    pub(crate) fn login_of(&self, token: &str) -> Option<Login> {
        let state = self.lock();
        state.access.get(token).filter(|access| Instant::now() < access.ends).map(|access| access.login)
    }

    /// Whether a request with this `Authorization` header may pass.
    pub(crate) fn accepts_header(&self, header: Option<&[u8]>) -> bool {
        header
            .and_then(|value| std::str::from_utf8(value).ok())
            .and_then(|value| value.split_once(' '))
            .is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && self.accepts(token))
    }

    /// Ends every access token before its time, without telling the clients.
    pub(crate) fn revoke_access_tokens(&self) {
        self.lock().access.clear();
    }

    /// A new refresh token for the client.
    pub(crate) fn issue_refresh(&self, login: Login, client: &str) -> String {
        let token = opaque();
        let refresh = Refresh { login, client: client.to_owned(), spent: false };
        self.lock().refresh.insert(token.clone(), refresh);
        token
    }

    /// Takes a refresh token of the client out of use. `None` if it never was the client's, or has been spent before: then
    /// somebody else has it too, and nobody can tell who is the thief, so the whole login ends (RFC 9700 §4.14.2).
    pub(crate) fn spend_refresh(&self, token: &str, client: &str) -> Option<Login> {
        let mut state = self.lock();
        let refresh = state.refresh.get_mut(token).filter(|refresh| refresh.client == client)?;
        let login = refresh.login;
        if refresh.spent {
            state.end(login);
            return None;
        }
        refresh.spent = true;
        Some(login)
    }

    /// Ends every token of a login.
    pub(crate) fn revoke(&self, login: Login) {
        self.lock().end(login);
    }

    /// Ends this token, if it is the client's. With a refresh token goes all that came of the same consent (RFC 7009 §2.1).
    pub(crate) fn revoke_token(&self, token: &str, client: &str) {
        let mut state = self.lock();
        if let Some(refresh) = state.refresh.get(token).filter(|refresh| refresh.client == client) {
            let login = refresh.login;
            state.end(login);
        }
        state.access.remove(token);
    }

    /// Ends every refresh token, as a server does when a person logs out elsewhere.
    pub(crate) fn revoke_refresh_tokens(&self) {
        self.lock().refresh.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self, login: Login) {
        self.access.retain(|_, access| access.login != login);
        self.refresh.retain(|_, refresh| refresh.login != login);
    }
}

/// Unique and without meaning, which is all that a client may assume of a token or a code. A real server draws it from a
/// cryptographic source.
pub(crate) fn opaque() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one("token"))
}
