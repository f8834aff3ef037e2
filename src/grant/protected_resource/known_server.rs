//! Keeps what was found out about a resource between two calls of its grant.

#[cfg(feature = "loopback")]
use std::collections::HashMap;

use crate::endpoint::{Issuer, ResourceMetadata};
use crate::grant::BoxGrant;
use crate::sync::{Mutex, lock};
#[cfg(feature = "loopback")]
use crate::token::RegistrationRecord;

/// Keeps what was found out. A clone is empty, so that two layers do not influence each other.
#[derive(Default)]
pub(super) struct KnownServer(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The address of the metadata in the last challenge that had one.
    metadata_url: Option<String>,
    metadata: Option<ResourceMetadata>,
    /// Whether the metadata may be outdated, because no token could be obtained with it.
    is_stale: bool,
    server: Option<ServerInUse>,
}

/// An authorization server, with what belongs to it alone.
struct ServerInUse {
    issuer: Issuer,
    #[cfg(feature = "loopback")]
    registration: Option<RegistrationRecord>,
    /// The registered clients that are not used any more, by their ids.
    #[cfg(feature = "loopback")]
    unused_clients: HashMap<String, UnusedClient>,
    grant: Option<BoxGrant>,
}

/// Why a registered client is not used any more. The greater reason replaces the other.
#[cfg(feature = "loopback")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum UnusedClient {
    /// No login uses it. It can still refresh its tokens.
    Retired,
    /// The server does not have it any more.
    Dropped,
}

impl ServerInUse {
    fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            #[cfg(feature = "loopback")]
            registration: None,
            #[cfg(feature = "loopback")]
            unused_clients: HashMap::new(),
            grant: None,
        }
    }
}

impl KnownServer {
    pub(super) fn metadata_url(&self) -> Option<String> {
        lock(&self.0).metadata_url.clone()
    }

    pub(super) fn metadata(&self) -> Option<ResourceMetadata> {
        lock(&self.0).metadata.clone()
    }

    pub(super) fn set_metadata(&self, metadata: &ResourceMetadata, url: Option<String>) {
        let mut known = lock(&self.0);
        known.metadata = Some(metadata.clone());
        known.metadata_url = url;
        known.is_stale = false;
    }

    /// Makes the next call fetch the metadata.
    pub(super) fn expire_metadata(&self) {
        lock(&self.0).is_stale = true;
    }

    pub(super) fn is_stale(&self) -> bool {
        lock(&self.0).is_stale
    }

    pub(super) fn issuer(&self) -> Option<Issuer> {
        lock(&self.0).server.as_ref().map(|server| server.issuer.clone())
    }

    /// Sets the server in use. What belongs to another one is forgotten.
    pub(super) fn set_issuer(&self, issuer: &Issuer) {
        let server = ServerInUse::new(issuer.clone());
        let mut known = lock(&self.0);
        if known.server.as_ref().is_none_or(|known| known.issuer.as_str() != issuer.as_str()) {
            // Dropped without the lock, because a grant can be of the application.
            let _previous = known.server.replace(server);
            drop(known);
        }
    }

    pub(super) fn grant(&self, issuer: &Issuer) -> Option<BoxGrant> {
        self.of(issuer, |server| server.grant.clone())?
    }

    /// Sets the grant, unless another call has set one. Returns the one that is used.
    pub(super) fn set_grant(&self, issuer: &Issuer, grant: BoxGrant) -> BoxGrant {
        // Another one is dropped without the lock, because it can be of the application.
        let used = self.of(issuer, |server| server.grant.get_or_insert_with(|| grant.clone()).clone());
        used.unwrap_or(grant)
    }
}

#[cfg(feature = "loopback")]
impl KnownServer {
    /// Returns the client that was registered at this server.
    pub(super) fn registration(&self, issuer: &Issuer) -> Option<RegistrationRecord> {
        self.of(issuer, |server| server.registration.clone())?
    }

    pub(super) fn set_registration(&self, issuer: &Issuer, registration: &RegistrationRecord) {
        self.of(issuer, |server| server.registration = Some(registration.clone()));
    }

    /// Forgets a registered client, also one in a stored token.
    pub(super) fn drop_client(&self, issuer: &Issuer, registration: &RegistrationRecord) {
        self.set_unused(issuer, registration, UnusedClient::Dropped);
    }

    /// Uses a registered client for no further login.
    pub(super) fn retire_client(&self, issuer: &Issuer, registration: &RegistrationRecord) {
        self.set_unused(issuer, registration, UnusedClient::Retired);
    }

    /// Returns whether no login uses the client any more.
    pub(super) fn is_retired(&self, issuer: &Issuer, registration: &RegistrationRecord) -> bool {
        self.unused(issuer, registration).is_some()
    }

    /// Returns whether the client was forgotten.
    pub(super) fn is_dropped(&self, issuer: &Issuer, registration: &RegistrationRecord) -> bool {
        self.unused(issuer, registration) == Some(UnusedClient::Dropped)
    }

    fn unused(&self, issuer: &Issuer, registration: &RegistrationRecord) -> Option<UnusedClient> {
        self.of(issuer, |server| server.unused_clients.get(&registration.client_id).copied())?
    }

    fn set_unused(&self, issuer: &Issuer, registration: &RegistrationRecord, why: UnusedClient) {
        self.of(issuer, |server| {
            let known = server.unused_clients.entry(registration.client_id.clone()).or_insert(why);
            *known = why.max(*known);
        });
    }
}

impl KnownServer {
    fn of<T>(&self, issuer: &Issuer, f: impl FnOnce(&mut ServerInUse) -> T) -> Option<T> {
        let mut known = lock(&self.0);
        known.server.as_mut().filter(|server| server.issuer.as_str() == issuer.as_str()).map(f)
    }
}

impl Clone for KnownServer {
    fn clone(&self) -> Self {
        Self::default()
    }
}
