//! The configuration of the processes: their server, store and login.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tower_oauth2::client::Client;
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::store::RedisStore;
use url::Url;

use crate::plan::STILL;

/// The configuration of a process, passed in an environment variable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) authorize: String,
    pub(crate) token: String,
    pub(crate) api: String,
    pub(crate) location: StoreLocation,
}

/// The location of the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum StoreLocation {
    File(PathBuf),
    Redis(String),
}

/// The lifetime of an access token of this client. It is short enough for some thirty refreshes a minute. It is long enough for a refresh
/// at half of it, before the server rejects the token: the server counts whole seconds, and may reject it one second early.
pub(crate) const LIFETIME: Duration = Duration::from_secs(4);

impl StoreLocation {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "FileStore",
            Self::Redis(_) => "RedisStore",
        }
    }
}

impl Setting {
    /// A native app with a rotating refresh token. It is the same in all processes, so that they share the entry.
    pub(crate) fn grant(&self, browser: impl Fn(&Url) + Send + Sync + 'static) -> AuthorizationCode {
        AuthorizationCode::new(&*self.authorize, &*self.token, self.client())
            .unwrap()
            .scope("openid offline_access api:read")
            .unwrap()
            .param("prompt", "consent")
            .browser(browser)
    }

    pub(crate) fn client(&self) -> Client {
        Client::public("native-brief")
    }
}

pub(crate) fn redis_store(url: &str) -> RedisStore {
    // A process that is killed keeps the lock until its lease ends. The default is too long for this test. The lease is longer than the pause
    // of the server, so that no process loses the lock in the pause.
    RedisStore::new(url).unwrap().lease(STILL + Duration::from_secs(3))
}
