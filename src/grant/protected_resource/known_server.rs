//! Keeps what was found out about a resource between two calls of its grant.

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
    server: Option<ServerInUse>,
}

/// An authorization server, with what belongs to it alone.
struct ServerInUse {
    issuer: Issuer,
    #[cfg(feature = "loopback")]
    registration: Option<RegistrationRecord>,
    /// The id of the registered client that the server does not know any more.
    #[cfg(feature = "loopback")]
    dropped_client: Option<String>,
    grant: Option<BoxGrant>,
}

impl ServerInUse {
    fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            #[cfg(feature = "loopback")]
            registration: None,
            #[cfg(feature = "loopback")]
            dropped_client: None,
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

    pub(super) fn set_grant(&self, issuer: &Issuer, grant: &BoxGrant) {
        let _previous = self.of(issuer, |server| server.grant.replace(grant.clone()));
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
        self.of(issuer, |server| {
            server.registration.take_if(|known| known.client_id == registration.client_id);
            server.dropped_client = Some(registration.client_id.clone());
        });
    }

    pub(super) fn is_dropped(&self, issuer: &Issuer, registration: &RegistrationRecord) -> bool {
        let is_dropped = |server: &mut ServerInUse| server.dropped_client.as_ref() == Some(&registration.client_id);
        self.of(issuer, is_dropped).unwrap_or(false)
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
