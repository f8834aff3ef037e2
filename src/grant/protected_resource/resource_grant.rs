//! Obtains a token for the resource.

use super::{Discovered, ProtectedResource};
use crate::dpop::Dpop;
use crate::error::{Error, ErrorKind};
use crate::grant::resource_needs::ResourceNeeds;
use crate::grant::{Context, Grant};
use crate::token::{Token, TokenRecord};

impl Grant for ProtectedResource {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        // The errors say nothing about the refresh token.
        let found = self.find_server(&cx).await.map_err(Error::before_request)?;
        let is_foreign = cx.previous().is_some_and(|previous| !is_issued_by(previous, &found));
        let cx = if is_foreign { without_refresh_token(cx) } else { cx };
        let outcome = match &self.make_grant {
            Some(make_grant) => self.obtain_by_grant(cx, &found, &**make_grant).await,
            #[cfg(feature = "loopback")]
            None => self.obtain_by_login(cx, &found).await,
            #[cfg(not(feature = "loopback"))]
            None => Err(Error::argument(
                "ProtectedResource",
                "a login needs the feature `loopback`; for another grant, use `ProtectedResource::with_grant`",
            )),
        };
        let outcome = outcome.map(|token| token.with_issuer(found.issuer.as_str(), self.known.metadata_url()));
        if outcome.is_err() {
            self.known.expire_metadata();
        }
        outcome.map_err(|error| match error.kind() {
            ErrorKind::LoginRequired if is_foreign => {
                let issuer = found.issuer.as_str();
                error.with_context(format!(
                    "the previous token is not known to be of the authorization server `{issuer}`"
                ))
            }
            _ => error,
        })
    }

    fn name(&self) -> &'static str {
        "protected_resource"
    }

    fn initial_token(&self) -> Option<Token> {
        self.config.initial.token()
    }

    fn dpop(&self) -> Option<Dpop> {
        self.config.endpoint.dpop_key().cloned()
    }
}

impl ProtectedResource {
    /// Returns what the requests of a grant for the resource must have.
    pub(super) fn needs(&self, found: &Discovered) -> ResourceNeeds {
        let scopes_supported = Discovered::scopes_supported(&found.metadata);
        let is_default = found.scope == scopes_supported;
        ResourceNeeds {
            resource: found.resource().to_owned(),
            scope: found.scope.clone().filter(|_| !is_default),
            default_scope: scopes_supported,
            dpop: self.config.endpoint.dpop_key().cloned(),
            options: None,
        }
    }
}

/// Returns whether the authorization server has issued the token.
fn is_issued_by(token: &Token, found: &Discovered) -> bool {
    token.record().issuer.as_deref() == Some(found.issuer.as_str())
}

/// Removes what another server has issued.
fn without_refresh_token(cx: Context) -> Context {
    let previous = cx.previous().cloned();
    cx.with_previous(previous.map(|token| token.without_refresh_token().with_record(TokenRecord::default())))
}
