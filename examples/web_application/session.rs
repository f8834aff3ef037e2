//! Sessions by cookie. Yours are in your framework, or in a database; what matters here is that a login belongs to the
//! browser that began it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::{HeaderMap, header::COOKIE};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tower::BoxError;

pub(crate) struct Sessions<T>(Mutex<HashMap<String, T>>);

impl<T> Default for Sessions<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Sessions<T> {
    /// Begins a session, and returns the cookie for it. Each begins with an id of its own, also when somebody logs in who
    /// had one: an id that was known before the login must not be worth anything after it.
    pub(crate) fn begin(&self, session: T, over_https: bool) -> Result<String, BoxError> {
        let mut id = [0; 32];
        getrandom::fill(&mut id)?;
        let id = URL_SAFE_NO_PAD.encode(id);
        // `Lax`, not `Strict`: the redirect from the authorization server comes from another site.
        let secure = if over_https { "; Secure" } else { "" };
        let cookie = format!("session={id}; Path=/; HttpOnly; SameSite=Lax{secure}");
        self.lock().insert(id, session);
        Ok(cookie)
    }

    /// Ends the session of this browser, if it is one of those.
    pub(crate) fn take(&self, headers: &HeaderMap, one_of_those: impl FnOnce(&T) -> bool) -> Option<T> {
        let (id, mut sessions) = (id(headers)?, self.lock());
        sessions.get(id).is_some_and(one_of_those).then(|| sessions.remove(id)).flatten()
    }

    /// The session of this browser, looked at.
    pub(crate) fn look<R>(&self, headers: &HeaderMap, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.lock().get(id(headers)?).map(look)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn id(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix("session="))
}
