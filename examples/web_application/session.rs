//! Sessions by cookie. A real application uses those of its framework or a database. Important here: a login belongs to the browser that
//! started it, and all replicas can load it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::{HeaderMap, header::COOKIE};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use tower::BoxError;

/// The sessions in serialized form, as they would be stored on another machine.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, String>>);

impl Sessions {
    /// Starts a session, and returns its cookie. Each session has a new id, even if the browser had one before, so that an id that was
    /// known before the login is worthless after it.
    pub(crate) fn start(&self, session: &impl Serialize, over_https: bool) -> Result<String, BoxError> {
        let mut id = [0; 32];
        getrandom::fill(&mut id)?;
        let id = URL_SAFE_NO_PAD.encode(id);
        // `Lax`, not `Strict`: the redirect from the authorization server comes from another site.
        let secure = if over_https { "; Secure" } else { "" };
        let cookie = format!("session={id}; Path=/; HttpOnly; SameSite=Lax{secure}");
        self.lock().insert(id, serde_json::to_string(session)?);
        Ok(cookie)
    }

    /// Removes and returns the session of this browser, if it matches. Only one of two concurrent requests gets it, so a code is used
    /// once.
    pub(crate) fn take<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        matches: impl FnOnce(&T) -> bool,
    ) -> Result<Option<T>, BoxError> {
        let mut sessions = self.lock();
        let Some((id, session)) = id(headers).and_then(|id| Some((id, sessions.get(id)?))) else { return Ok(None) };
        let session = serde_json::from_str(session)?;
        if !matches(&session) {
            return Ok(None);
        }
        sessions.remove(id);
        Ok(Some(session))
    }

    /// Returns the session of this browser.
    pub(crate) fn load<T: DeserializeOwned>(&self, headers: &HeaderMap) -> Result<Option<T>, BoxError> {
        let session = id(headers).and_then(|id| self.lock().get(id).cloned());
        Ok(session.map(|session| serde_json::from_str(&session)).transpose()?)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn id(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix("session="))
}
