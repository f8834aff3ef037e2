//! Chooses the client for a login at an authorization server.

use serde_json::Value;

use super::{Discovered, ProtectedResource};
use crate::client::Client;
use crate::clock;
use crate::endpoint::{EndpointMember, Metadata, TokenEndpoint, registered_client};
use crate::error::{Error, ErrorKind};
use crate::grant::Context;
use crate::into_url::WithoutQuery;
use crate::token::RegistrationRecord;

impl ProtectedResource {
    /// Returns the client that needs no registration by the grant: one that was registered before, or one with a metadata document.
    pub(super) fn fixed_client(&self, found: &Discovered, server: &Metadata) -> Option<&Client> {
        let issuer = found.issuer.as_str();
        let registered = self.clients.iter().find(|(other, _)| other == issuer).map(|(_, client)| client);
        registered.or_else(|| self.metadata_client.as_ref().filter(|client| supports_document(server, client)))
    }

    /// Returns the client that was registered by the grant and can log in, now or in an earlier process.
    pub(super) fn registered_before(&self, cx: &Context, found: &Discovered) -> Option<RegistrationRecord> {
        let can_log_in = |registration: &RegistrationRecord| {
            self.is_valid(registration, found) && !self.known.is_retired(&found.issuer, registration)
        };
        let stored = || cx.previous().and_then(|previous| previous.record().registration.clone());
        self.known.registration(&found.issuer).filter(can_log_in).or_else(|| stored().filter(can_log_in))
    }

    /// Returns whether a registered client can still be used.
    pub(super) fn is_valid(&self, registration: &RegistrationRecord, found: &Discovered) -> bool {
        // A stored one may have been changed.
        let can_be_sent = registered_client(registration).check(None).is_ok();
        can_be_sent && registration.is_valid(clock::now()) && !self.known.is_dropped(&found.issuer, registration)
    }

    /// Registers a client with this redirect URI.
    ///
    /// # Errors
    ///
    /// If the application or the server has not provided for it, or the server rejects it.
    pub(super) async fn register_client(
        &self,
        cx: &Context,
        found: &Discovered,
        server: &Metadata,
        redirect_uri: &str,
    ) -> Result<RegistrationRecord, Error> {
        let Some(registration) = self.registration.as_ref().filter(|_| server.has(EndpointMember::Registration)) else {
            return Err(self.no_client(server));
        };
        let endpoint: TokenEndpoint = self.config.endpoint.for_issuer(&found.issuer, Client::none())?;
        let registered = endpoint.register(cx.transport(), registration, redirect_uri).await?;
        self.known.set_registration(&found.issuer, &registered);
        Ok(registered)
    }

    fn no_client(&self, server: &Metadata) -> Error {
        let issuer = WithoutQuery(server.issuer());
        let mut why = format!(
            "there is no client for the authorization server `{issuer:?}`; give one that was registered there to \
             `ProtectedResource::client`"
        );
        match (&self.metadata_client, server.is_true(DOCUMENTS_SUPPORTED)) {
            (None, true) => why += ", or set `ProtectedResource::client_metadata`, which the server supports",
            (Some(_), true) => {
                why += "; the server does not support the authentication method of the `client_metadata` client"
            }
            (Some(_), false) => why += "; the server does not support client ID metadata documents",
            (None, false) => {}
        }
        match (&self.registration, server.has(EndpointMember::Registration)) {
            (None, true) => why += ", or call `ProtectedResource::register`, which the server supports",
            (Some(_), false) => why += "; the server does not support registration",
            _ => {}
        }
        Error::new(ErrorKind::Configuration, why)
    }
}

const DOCUMENTS_SUPPORTED: &str = "client_id_metadata_document_supported";

/// Returns whether the server supports this client with a metadata document. A server that lists the authentication methods without that
/// of the client would reject it.
fn supports_document(server: &Metadata, client: &Client) -> bool {
    let is_listed = match (server.member("token_endpoint_auth_methods_supported"), client.method_name()) {
        (Some(Value::Array(listed)), Some(method)) => listed.iter().any(|listed| listed == method),
        _ => true,
    };
    server.is_true(DOCUMENTS_SUPPORTED) && is_listed
}
