//! Stores the settings of a login on this machine.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::owner::GrantId;

pub(super) type ShowUrl = Arc<dyn Fn(&Url) + Send + Sync>;

#[derive(Clone)]
pub(in crate::grant::authorization_code) struct Loopback {
    pub(super) localhost: bool,
    pub(super) ports: Vec<u16>,
    /// Empty, or with a leading slash.
    pub(super) path: String,
    pub(super) timeout: Duration,
    pub(super) browser: Option<ShowUrl>,
    pub(super) announce: Option<ShowUrl>,
    pub(super) grant_id: GrantId,
}

impl Default for Loopback {
    fn default() -> Self {
        Self {
            localhost: false,
            ports: Vec::new(),
            path: "/callback".into(),
            timeout: Duration::from_secs(300),
            browser: None,
            announce: None,
            grant_id: GrantId::default(),
        }
    }
}
