use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The tokens that are good at this moment. The authorization server writes here, the protected services read, and a
/// clone is the same registry.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Access tokens, and the moment at which each ends.
    access: HashMap<String, Instant>,
    /// Refresh tokens, and the client to which each was given.
    refresh: HashMap<String, String>,
}

impl Registry {
    /// A new access token.
    pub(crate) fn issue(&self, lifetime: Duration) -> String {
        let token = opaque();
        let ends = Instant::now() + lifetime;
        self.lock().access.insert(token.clone(), ends);
        token
    }

    /// Whether the access token was issued here and has not ended yet.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        let state = self.lock();
        state.access.get(token).is_some_and(|ends| Instant::now() < *ends)
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
    pub(crate) fn issue_refresh(&self, client: &str) -> String {
        let token = opaque();
        self.lock().refresh.insert(token.clone(), client.to_owned());
        token
    }

    /// Takes a refresh token of the client out of use. False if it has been spent before, or never was the client's.
    pub(crate) fn spend_refresh(&self, token: &str, client: &str) -> bool {
        let mut state = self.lock();
        let known = state.refresh.get(token).is_some_and(|owner| owner == client);
        known && state.refresh.remove(token).is_some()
    }

    /// Ends every refresh token, as a server does when a person logs out elsewhere.
    pub(crate) fn revoke_refresh_tokens(&self) {
        self.lock().refresh.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Unique and without meaning, which is all that a client may assume of a token. A real server draws it from a
/// cryptographic source.
fn opaque() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one("token"))
}
