//! Finds the metadata of the resource, and one of its authorization servers.

use super::{Discovered, ProtectedResource};
use crate::endpoint::{Issuer, ResourceLookup, ResourceMetadata};
use crate::error::{Error, ErrorKind};
use crate::grant::{Context, Reason};
use crate::scope;

/// How many issuers an error shows.
const MAX_ISSUERS_SHOWN: usize = 8;

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
        let issuer = self.select_server(metadata.authorization_servers(), in_use)?;
        let issuer = known.filter(|known| known.as_str() == issuer.as_str()).unwrap_or(issuer);
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
        // No request is sent without a token, so that no rejection would say that the server has changed.
        if let Some(known) = known.as_ref().filter(|_| is_refresh && !self.known.is_stale()) {
            return Ok(known.clone());
        }
        let keeps_known = |error: &Error| is_refresh || is_outage(error);
        match self.fetch_metadata(cx).await {
            Ok(ResourceLookup::Found(metadata)) => Ok(metadata),
            // A document that was there may be missing for a moment.
            Ok(ResourceLookup::Missing(_)) if self.falls_back => {
                let fallback = || ResourceMetadata::without_document(&self.resource);
                let metadata = known.unwrap_or_else(fallback);
                self.known.set_metadata(&metadata, self.known.metadata_url());
                Ok(metadata)
            }
            Ok(ResourceLookup::Missing(error)) => known.filter(|_| keeps_known(&error)).ok_or(error),
            Err(error) => known.filter(|_| keeps_known(&error)).ok_or(error),
        }
    }

    /// Fetches the metadata from the address in the challenge, from that in an earlier one, or from the well-known addresses.
    async fn fetch_metadata(&self, cx: &Context) -> Result<ResourceLookup, Error> {
        let fetch = async |address: Option<String>| {
            let found = ResourceMetadata::find(cx.transport(), &self.resource, address.as_deref()).await?;
            if let ResourceLookup::Found(metadata) = &found {
                self.known.set_metadata(metadata, address);
            }
            Ok(found)
        };
        if let Some(named) = cx.challenge().and_then(|challenge| challenge.resource_metadata()) {
            return fetch(Some(named.to_owned())).await;
        }
        // Another process may have received the address in a challenge. While the token is expired, no response names it.
        let recorded = || cx.previous().and_then(|previous| previous.record().resource_metadata.clone());
        match self.known.metadata_url().or_else(recorded) {
            // The server may have moved the document since.
            Some(earlier) => match fetch(Some(earlier)).await {
                Err(error) if !is_outage(&error) => fetch(None).await.or(Err(error)),
                found => found,
            },
            None => fetch(None).await,
        }
    }

    /// Selects the server in use, if it is still listed; else one with a configured client; else one that is accepted. One whose issuer
    /// identifier cannot be used is skipped.
    fn select_server(&self, listed: &[String], in_use: Option<&str>) -> Result<Issuer, Error> {
        let has_client = |issuer: &str| self.clients.iter().any(|(other, _)| other == issuer);
        let is_accepted = |issuer: &str| self.accepts_server.as_ref().is_none_or(|accepts| accepts(issuer));
        let may_be_used: Vec<&str> =
            listed.iter().map(String::as_str).filter(|issuer| has_client(issuer) || is_accepted(issuer)).collect();
        // The sort is stable: of two equal ones, the first in the list is used.
        let mut by_preference = may_be_used;
        by_preference.sort_by_key(|issuer| match () {
            () if Some(*issuer) == in_use => 0,
            () if has_client(issuer) => 1,
            () => 2,
        });
        let mut unusable = None;
        for issuer in by_preference {
            let found =
                if self.falls_back { self.resource.legacy_issuer(issuer) } else { self.resource.issuer(issuer) };
            match found {
                Ok(issuer) => return Ok(issuer),
                Err(error) => {
                    unusable.get_or_insert(error);
                }
            }
        }
        Err(unusable.unwrap_or_else(|| self.no_server(listed)))
    }

    /// Makes the error of a list without a server that may be used.
    fn no_server(&self, listed: &[String]) -> Error {
        let resource = &self.resource;
        if listed.is_empty() {
            let why = format!("the metadata of the resource `{resource:?}` lists no authorization server");
            return Error::malformed(why);
        }
        let shown: Vec<String> =
            listed.iter().take(MAX_ISSUERS_SHOWN).map(|issuer| format!("`{}`", resource.shown(issuer))).collect();
        let why = format!(
            "`accept_issuer` accepts none of the authorization servers of the resource `{resource:?}`: {}",
            shown.join(", ")
        );
        Error::new(ErrorKind::Configuration, why)
    }
}

/// Returns whether the metadata may be as before: the server could not be reached, or is overloaded.
fn is_outage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Transport | ErrorKind::Timeout | ErrorKind::Overloaded)
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
