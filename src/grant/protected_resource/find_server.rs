//! Finds the metadata of the resource, and one of its authorization servers.

use super::{Discovered, ProtectedResource};
use crate::endpoint::{Issuer, ResourceLookup, ResourceMetadata};
use crate::error::{Error, ErrorKind};
use crate::grant::{Context, Reason};
use crate::scope;
use crate::text::printable;

/// How many issuers an error shows, and how many characters of each.
const MAX_ISSUERS_SHOWN: usize = 8;
const MAX_ISSUER_SHOWN: usize = 128;

impl ProtectedResource {
    /// Finds the authorization server for the next token.
    ///
    /// # Errors
    ///
    /// If the resource has no metadata, or lists no authorization server that may be used.
    pub(super) async fn find_server(&self, cx: &Context) -> Result<Discovered, Error> {
        let metadata = self.find_metadata(cx).await?;
        let known = self.known.issuer();
        let in_use = cx.previous().and_then(|previous| previous.record().issuer.as_deref());
        let in_use = in_use.or(known.as_ref().map(Issuer::as_str));
        let selected = self.select_server(metadata.authorization_servers(), in_use)?;
        let issuer = match known.filter(|known| known.as_str() == selected) {
            Some(known) => known,
            None if self.falls_back => self.resource.legacy_issuer(selected)?,
            None => self.resource.issuer(selected)?,
        };
        self.known.set_issuer(&issuer);
        let demanded = cx.challenge().and_then(|challenge| scope::parse(challenge.scope()?).ok()?);
        let scope = match (self.config.parameters.scope(), &demanded) {
            (None, None) => Discovered::scopes_supported(&metadata),
            (configured, demanded) => Some(united(configured.into_iter().chain(demanded.as_deref()))),
        };
        Ok(Discovered { issuer, metadata, scope })
    }

    /// Returns the metadata. It is fetched again unless a token in use is refreshed; an outage keeps the earlier document.
    async fn find_metadata(&self, cx: &Context) -> Result<ResourceMetadata, Error> {
        let known = self.known.metadata();
        let is_refresh = cx.previous().is_some() && matches!(cx.reason(), Reason::Missing | Reason::Proactive);
        if let Some(known) = known.as_ref().filter(|_| is_refresh) {
            return Ok(known.clone());
        }
        let named = cx.challenge().and_then(|challenge| challenge.resource_metadata()).map(ToOwned::to_owned);
        // Another process may have received the address in a challenge. While the token is expired, no response names it.
        let recorded = || cx.previous().and_then(|previous| previous.record().resource_metadata.clone());
        let named = named.or_else(|| self.known.metadata_url()).or_else(recorded);
        let found = match ResourceMetadata::find(cx.transport(), &self.resource, named.as_deref()).await {
            Ok(ResourceLookup::Found(metadata)) => metadata,
            Ok(ResourceLookup::Missing(_)) if self.falls_back => ResourceMetadata::without_document(&self.resource),
            Ok(ResourceLookup::Missing(error)) => return Err(error),
            Err(error) if is_outage(&error) => return known.ok_or(error),
            Err(error) => return Err(error),
        };
        self.known.set_metadata(&found, named);
        Ok(found)
    }

    /// Selects the server in use, if it is still listed; else one with a configured client; else one that is accepted.
    fn select_server<'a>(&self, listed: &'a [String], in_use: Option<&str>) -> Result<&'a str, Error> {
        let has_client = |issuer: &String| self.clients.iter().any(|(other, _)| other == issuer);
        let is_accepted = |issuer: &String| self.accepts_server.as_ref().is_none_or(|accepts| accepts(issuer));
        let may_be_used = |issuer: &&String| has_client(issuer) || is_accepted(issuer);
        let in_use = listed.iter().find(|issuer| Some(issuer.as_str()) == in_use).filter(may_be_used);
        let with_client = || listed.iter().find(|issuer| has_client(issuer));
        let accepted = || listed.iter().find(|issuer| is_accepted(issuer));
        in_use.or_else(with_client).or_else(accepted).map(String::as_str).ok_or_else(|| {
            let resource = self.resource.as_str();
            if listed.is_empty() {
                let why = format!("the metadata of the resource `{resource}` lists no authorization server");
                return Error::malformed(why);
            }
            let shown: Vec<String> = listed.iter().take(MAX_ISSUERS_SHOWN).map(|issuer| shown(issuer)).collect();
            let why = format!(
                "`accept_issuer` accepts none of the authorization servers of the resource `{resource}`: {}",
                shown.join(", ")
            );
            Error::new(ErrorKind::Configuration, why)
        })
    }
}

/// Returns whether the metadata may be as before: the server could not be reached, or is overloaded.
fn is_outage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Transport | ErrorKind::Timeout | ErrorKind::Overloaded)
}

fn shown(issuer: &str) -> String {
    format!("`{}`", printable(issuer, MAX_ISSUER_SHOWN))
}

/// Returns the union of the scopes, in which each name occurs once.
fn united<'a>(scopes: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in scopes.flat_map(|scope| scope.split(' ')) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" ")
}
