use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{form::Form, registry::opaque};

/// The time from the push until the user has decided.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60);

/// The authorization requests that clients have pushed, by `request_uri`.
#[derive(Default)]
pub(crate) struct PushedRequests(Mutex<HashMap<String, PushedRequest>>);

struct PushedRequest {
    client: String,
    parameters: Form,
    expires_at: Instant,
}

impl PushedRequests {
    /// Stores the parameters, and returns the reference to them.
    pub(crate) fn push(&self, client: String, parameters: Form) -> String {
        let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", opaque());
        let request = PushedRequest { client, parameters, expires_at: Instant::now() + LIFETIME };
        self.lock().insert(request_uri.clone(), request);
        request_uri
    }

    /// Returns the parameters, if this client has pushed them and they have not expired.
    pub(crate) fn find(&self, request_uri: &str, client: &str) -> Option<Form> {
        let requests = self.lock();
        let request = requests.get(request_uri).filter(|request| request.client == client)?;
        (Instant::now() < request.expires_at).then(|| request.parameters.clone())
    }

    /// Ends a request, which can be used once (RFC 9126 §4).
    pub(crate) fn remove(&self, request_uri: &str) {
        self.lock().remove(request_uri);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, PushedRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
