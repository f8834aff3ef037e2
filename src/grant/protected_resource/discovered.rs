//! What was found out about a protected resource.

use crate::endpoint::{Issuer, ResourceMetadata};
use crate::scope;

/// Describes the authorization server of a resource, for the function of [`ProtectedResource::with_grant`](super::ProtectedResource::with_grant).
#[derive(Clone, Debug)]
pub struct Discovered {
    pub(super) issuer: Issuer,
    pub(super) metadata: ResourceMetadata,
    /// That of the grant and of the challenge.
    pub(super) scope: Option<String>,
}

impl Discovered {
    /// Returns the authorization server that was selected.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Returns the identifier of the resource, as it is written in its metadata.
    pub fn resource(&self) -> &str {
        self.metadata.resource()
    }

    /// Returns the scope of the first token: that of the grant and of the challenge, or all that the resource supports. Later tokens can
    /// have more.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// Returns the metadata of the resource.
    pub fn metadata(&self) -> &ResourceMetadata {
        &self.metadata
    }

    /// Returns all scopes that the resource lists. Names that cannot be requested are omitted.
    pub(super) fn scopes_supported(metadata: &ResourceMetadata) -> Option<String> {
        let names = metadata.scopes_supported()?.iter().filter_map(|name| scope::parse(name).ok().flatten());
        let names: Vec<String> = names.collect();
        (!names.is_empty()).then(|| names.join(" "))
    }
}
