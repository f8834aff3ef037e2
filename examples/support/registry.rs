use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The valid tokens. The authorization server adds tokens, and the protected services look them up. Clones share their
/// state.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<State>>);

/// The tokens of one consent. They are revoked together if one of them was stolen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Login(usize);

/// What the person has consented to, how they logged in, and when. A refresh does not change it.
#[derive(Clone)]
pub(crate) struct Consented {
    pub(crate) scope: Option<String>,
    /// The authentication context (RFC 9470 §3).
    pub(crate) acr: Option<String>,
    pub(crate) at: Instant,
}

#[derive(Default)]
struct State {
    logins: usize,
    consented: HashMap<usize, Consented>,
    /// The names of users, by login.
    users: HashMap<usize, String>,
    access: HashMap<String, AccessToken>,
    refresh: HashMap<String, RefreshToken>,
    /// The thumbprints of the keys that tokens are bound to.
    keys: HashMap<String, String>,
    /// The scopes of access tokens.
    scopes: HashMap<String, String>,
    /// The services that exchanged tokens are for.
    audiences: HashMap<String, String>,
}

struct AccessToken {
    login: Login,
    expires_at: Instant,
}

struct RefreshToken {
    login: Login,
    client: String,
    used: bool,
}

impl Registry {
    pub(crate) fn start_login(&self) -> Login {
        let mut state = self.lock();
        state.logins += 1;
        Login(state.logins)
    }

    /// Starts the login of a person.
    pub(crate) fn start_login_of(&self, consented: Consented) -> Login {
        let login = self.start_login();
        self.lock().consented.insert(login.0, consented);
        login
    }

    /// Starts the login of a user with this name.
    pub(crate) fn start_login_as(&self, user: &str) -> Login {
        let login = self.start_login();
        self.lock().users.insert(login.0, user.to_owned());
        login
    }

    /// Returns the name of the user whose valid access token it is.
    pub(crate) fn user_of(&self, token: &str) -> Option<String> {
        let login = self.login_of(token)?;
        self.lock().users.get(&login.0).cloned()
    }

    /// Returns the name of the user whose refresh token it is.
    pub(crate) fn user_of_refresh_token(&self, token: &str) -> Option<String> {
        let state = self.lock();
        state.users.get(&state.refresh.get(token)?.login.0).cloned()
    }

    /// Returns the consent that a valid access token stands for.
    pub(crate) fn consent_of(&self, token: &str) -> Option<Consented> {
        let login = self.login_of(token)?;
        self.lock().consented.get(&login.0).cloned()
    }

    /// Issues an access token.
    pub(crate) fn issue(&self, login: Login, lifetime: Duration) -> String {
        let token = opaque();
        let access = AccessToken { login, expires_at: Instant::now() + lifetime };
        self.lock().access.insert(token.clone(), access);
        token
    }

    /// Whether the access token was issued here and has not expired.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        self.login_of(token).is_some()
    }

    /// Returns the login of a valid access token.
    pub(crate) fn login_of(&self, token: &str) -> Option<Login> {
        let state = self.lock();
        state.access.get(token).filter(|access| Instant::now() < access.expires_at).map(|access| access.login)
    }

    /// Whether this `Authorization` header has a valid token.
    pub(crate) fn accepts_header(&self, header: Option<&[u8]>) -> bool {
        header
            .and_then(|value| std::str::from_utf8(value).ok())
            .and_then(|value| value.split_once(' '))
            .is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && self.accepts(token))
    }

    /// Binds a token to the key with this thumbprint (RFC 9449 §6).
    pub(crate) fn bind(&self, token: &str, thumbprint: &str) {
        self.lock().keys.insert(token.to_owned(), thumbprint.to_owned());
    }

    /// Returns the thumbprint of the key that the token is bound to.
    pub(crate) fn thumbprint_of(&self, token: &str) -> Option<String> {
        self.lock().keys.get(token).cloned()
    }

    /// Sets the scope of an access token.
    pub(crate) fn set_scope(&self, token: &str, scope: &str) {
        self.lock().scopes.insert(token.to_owned(), scope.to_owned());
    }

    /// Whether the access token has this scope.
    pub(crate) fn has_scope(&self, token: &str, scope: &str) -> bool {
        self.lock().scopes.get(token).is_some_and(|all| all.split(' ').any(|one| one == scope))
    }

    /// Restricts an access token to one service.
    pub(crate) fn set_audience(&self, token: &str, audience: &str) {
        self.lock().audiences.insert(token.to_owned(), audience.to_owned());
    }

    /// Whether the access token is restricted to this service.
    pub(crate) fn has_audience(&self, token: &str, audience: &str) -> bool {
        self.lock().audiences.get(token).is_some_and(|restricted| restricted == audience)
    }

    /// Revokes every access token.
    pub(crate) fn revoke_access_tokens(&self) {
        self.lock().access.clear();
    }

    /// Issues a refresh token for the client.
    pub(crate) fn issue_refresh_token(&self, login: Login, client: &str) -> String {
        let token = opaque();
        let refresh = RefreshToken { login, client: client.to_owned(), used: false };
        self.lock().refresh.insert(token.clone(), refresh);
        token
    }

    /// Uses a refresh token. Returns `None` if it is not the client's, or was used before. Reuse revokes the whole login,
    /// because the server cannot distinguish the client from an attacker (RFC 9700 §4.14.2).
    pub(crate) fn use_refresh_token(&self, token: &str, client: &str) -> Option<Login> {
        let mut state = self.lock();
        let refresh = state.refresh.get_mut(token).filter(|refresh| refresh.client == client)?;
        let login = refresh.login;
        if refresh.used {
            state.revoke_login(login);
            return None;
        }
        refresh.used = true;
        Some(login)
    }

    /// Revokes every token of a login.
    pub(crate) fn revoke(&self, login: Login) {
        self.lock().revoke_login(login);
    }

    /// Revokes this token if it is the client's. A refresh token revokes its whole login (RFC 7009 §2.1).
    pub(crate) fn revoke_token(&self, token: &str, client: &str) {
        let mut state = self.lock();
        if let Some(refresh) = state.refresh.get(token).filter(|refresh| refresh.client == client) {
            let login = refresh.login;
            state.revoke_login(login);
        }
        state.access.remove(token);
    }

    /// Revokes every refresh token, as a server does when the user logs out elsewhere.
    pub(crate) fn revoke_refresh_tokens(&self) {
        self.lock().refresh.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn revoke_login(&mut self, login: Login) {
        self.access.retain(|_, access| access.login != login);
        self.refresh.retain(|_, refresh| refresh.login != login);
    }
}

/// A unique string without meaning, for tokens and codes. A real server uses a cryptographic random source.
pub(crate) fn opaque() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one("token"))
}
