//! The program that all processes run: its server, its store, and its login.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tower_oauth2::client::Client;
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::store::RedisStore;
use url::Url;

use crate::plan::STILL;

/// What a process has to know, as it is handed to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) authorize: String,
    pub(crate) token: String,
    pub(crate) api: String,
    pub(crate) shelf: Shelf,
}

/// Where the store is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Shelf {
    File(PathBuf),
    Redis(String),
}

/// So long does an access token of this client live: short enough for some thirty renewals a minute, and long enough that it
/// is renewed, at half of its life, before the server ends it, which counts whole seconds and may be one early.
pub(crate) const LIFETIME: Duration = Duration::from_secs(4);

impl Shelf {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "FileStore",
            Self::Redis(_) => "RedisStore",
        }
    }
}

impl Setting {
    /// A native app with a rotating refresh token, in all processes the same, so that they find the same entry.
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
    // Who is killed with the turn keeps it for the time of the lease, and by default that is much for this run. It is longer than
    // the server stands still: nobody loses the turn by that.
    RedisStore::new(url).unwrap().lease(STILL + Duration::from_secs(3))
}
