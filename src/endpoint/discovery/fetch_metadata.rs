//! Requests the metadata from one address after another (RFC 8414 §3, OpenID Connect Discovery 1.0 §4).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::cache_control;
use super::fetch_document::{JsonDocument, Unusable};
use super::metadata::{self, AddressRules, Metadata};
use super::shown_identifier::shown_identifier;
use crate::catch_panic::catch_panic;
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::into_url::WithoutQuery;
use crate::transport::Transport;

/// How the metadata of one issuer is found, and which document is accepted.
#[derive(Clone)]
pub(super) struct Discovery {
    pub(super) issuer: String,
    pub(super) addresses: Vec<Url>,
    pub(super) rules: AddressRules,
    /// Accepts other issuers.
    pub(super) accepts: Option<Arc<AcceptIssuer>>,
    /// Whether a server without metadata has its endpoints at the addresses of MCP 2025-03-26.
    pub(super) falls_back: bool,
}

type AcceptIssuer = dyn Fn(&str) -> bool + Send + Sync;

/// A document that was received, and how long it is kept.
pub(super) struct Fetched {
    pub(super) metadata: Arc<Metadata>,
    pub(super) lifetime: Duration,
}

impl Discovery {
    pub(super) fn accepts(&self, issuer: &str) -> bool {
        // A redirect of a browser must not end the login with the panic of the application's function.
        let is_accepted = |accepts: &AcceptIssuer| catch_panic(|| accepts(issuer)).unwrap_or(false);
        issuer == self.issuer || self.accepts.as_deref().is_some_and(is_accepted)
    }

    /// Fetches the document, within the limit in all.
    pub(super) async fn fetch(&self, http: &Transport, limit: Duration) -> Result<Fetched, Error> {
        let fetching = async {
            let (mut reasons, mut is_missing) = (Vec::new(), true);
            for address in &self.addresses {
                match self.fetch_from(http, address).await {
                    Ok(fetched) => return Ok(fetched),
                    Err(unusable) => {
                        is_missing &= matches!(unusable, Unusable::NotFound);
                        reasons.push(format!("{:?}: {}", WithoutQuery(address.as_str()), unusable.reason()?));
                    }
                }
            }
            if is_missing && self.falls_back {
                return self.default_endpoints();
            }
            let reasons = reasons.join("; ");
            Err(Error::malformed(format!("no address has the metadata of the issuer `{}`: {reasons}", self.issuer)))
        };
        let too_late =
            || Error::new(ErrorKind::Timeout, format!("no metadata of the issuer `{}` within {limit:?}", self.issuer));
        clock::within(limit, fetching).await.unwrap_or_else(|| Err(too_late()))
    }

    /// Returns the endpoints that MCP 2025-03-26 defines for a server without metadata. Its clients must use PKCE.
    fn default_endpoints(&self) -> Result<Fetched, Error> {
        // They are at the origin, whatever the path of the issuer.
        let origin = Url::parse(&self.issuer).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let at = |path: &str| Value::from(format!("{origin}{path}"));
        let members = [
            ("issuer", Value::from(self.issuer.as_str())),
            ("authorization_endpoint", at("/authorize")),
            ("token_endpoint", at("/token")),
            ("registration_endpoint", at("/register")),
            ("code_challenge_methods_supported", vec!["S256"].into()),
            ("token_endpoint_auth_methods_supported", vec!["none"].into()),
        ];
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let metadata = Metadata::read(members, self.rules).map_err(Error::malformed)?;
        Ok(Fetched { metadata: Arc::new(metadata), lifetime: cache_control::MIN })
    }

    /// Fetches a document, and compares its issuer (RFC 8414 §3.3).
    async fn fetch_from(&self, http: &Transport, address: &Url) -> Result<Fetched, Unusable> {
        let document = JsonDocument::fetch(http, address).await?;
        let not_used = |why: &str| Unusable::Other(why.to_owned());
        let issuer = metadata::issuer(&document.members).map_err(not_used)?;
        if !self.accepts(issuer) {
            let shown = shown_identifier(issuer, &[&document.secrets]);
            return Err(Unusable::Other(format!(
                "the document is that of the issuer `{shown}`; the two are compared exactly"
            )));
        }
        let lifetime = document.lifetime;
        let metadata = Metadata::read(document.members, self.rules).map_err(not_used)?;
        Ok(Fetched { metadata: Arc::new(metadata), lifetime })
    }
}
