//! The token request that a source is fetched for.

use std::fmt;
use std::sync::Arc;

use http::Uri;

use crate::into_url::WithoutQuery;
use crate::transport::Transport;

/// The token request that a [`Source`](super::Source) is asked for. It is cheap to clone.
#[derive(Clone)]
pub struct SourceContext {
    transport: Transport,
    issuer: Option<Arc<str>>,
    endpoint: Option<Uri>,
    client_id: Option<Arc<str>>,
}

impl SourceContext {
    /// Creates a context without issuer, endpoint and client, for tests of a source.
    pub fn new(transport: Transport) -> Self {
        Self { transport, issuer: None, endpoint: None, client_id: None }
    }

    /// Returns the transport of the token request, for a source that sends requests of its own.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Returns the issuer identifier of the authorization server, if it is known.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Returns the address that the request goes to. `None` only in a context made by [`SourceContext::new`].
    pub fn endpoint(&self) -> Option<&Uri> {
        self.endpoint.as_ref()
    }

    /// Returns the id of the client that sends the request; `None` for [`Client::none`](crate::client::Client::none).
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    pub(crate) fn for_request(
        transport: &Transport,
        endpoint: &Uri,
        issuer: Option<&str>,
        client_id: Option<&str>,
    ) -> Self {
        Self {
            transport: transport.clone(),
            issuer: issuer.map(Into::into),
            endpoint: Some(endpoint.clone()),
            client_id: client_id.map(Into::into),
        }
    }
}

impl fmt::Debug for SourceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceContext")
            .field("issuer", &self.issuer.as_deref().map(WithoutQuery))
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
