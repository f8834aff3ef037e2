//! The resource, and the addresses of its metadata.

use tower_oauth2::grant::ProtectedResource;
use tower_oauth2_fuzz::{can_be_sent, check_address_error, is_bare, is_private, is_public_name, is_safe};
use url::Url;

/// The key in a query.
pub(crate) const KEY: &str = "hunter2-key";

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A resource that the crate accepts.
pub(crate) struct Resource {
    pub(crate) text: String,
    pub(crate) url: Url,
}

impl Resource {
    /// Checks whether the crate accepts the resource. `None` if it must not.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(is_bare);
        // They would not be part of a URL.
        let url = url.filter(|_| !text.contains(|c: char| c.is_whitespace() || c.is_control()));
        match ProtectedResource::new(text) {
            Ok(grant) => {
                let url = url.expect("it is not valid for a resource");
                assert!(is_safe(&url));
                assert!(!format!("{grant:?}").contains(KEY), "{grant:?}");
                Some(Self { text: text.to_owned(), url })
            }
            Err(error) => {
                check_address_error(&error, url.as_ref(), "resource");
                None
            }
        }
    }

    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Returns the well-known addresses, and the identifier that a document there must have (RFC 9728 §3.1, §3.3).
    pub(crate) fn well_known(&self) -> Vec<(String, String)> {
        let origin = self.origin();
        let path = if self.url.path() == "/" { "" } else { self.url.path() };
        let query = self.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut all = vec![(format!("{origin}{WELL_KNOWN}{path}{query}"), self.text.clone())];
        if !path.is_empty() || self.url.query().is_some() {
            all.push((format!("{origin}{WELL_KNOWN}"), origin));
        }
        all
    }

    /// Returns the address that a challenge names, and whether it may be used: `None` if only the rules of the crate decide.
    pub(crate) fn named(&self, text: &str) -> (Option<Url>, Option<bool>) {
        let Ok(url) = Url::parse(text) else { return (None, Some(false)) };
        let is_public = is_public_name(&self.url);
        let may_be_used = match () {
            () if !is_bare(&url) || !is_safe(&url) || !can_be_sent(url.as_str()) => Some(false),
            () if is_public_name(&url) || is_private(&self.url) => Some(true),
            () if is_public && is_private(&url) => Some(false),
            () => None,
        };
        (Some(url), may_be_used)
    }

    /// Returns whether an address may receive a request that the server of the resource has caused.
    pub(crate) fn allows(&self, url: &Url) -> bool {
        is_safe(url) && !(is_public_name(&self.url) && is_private(url))
    }
}
