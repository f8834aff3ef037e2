//! Finds the address of an endpoint for one request, and explains errors with the metadata of the server.

use std::sync::Arc;

use http::{StatusCode, Uri};

use super::discovery::{EndpointMember, Metadata};
use super::endpoint_address::{Address, ResolvedAddress};
use super::token_endpoint::TokenEndpoint;
use crate::error::{Error, ErrorKind};
use crate::transport::Transport;

impl TokenEndpoint {
    /// Returns the metadata of the server; `None` if its issuer is not known.
    ///
    /// # Errors
    ///
    /// Those of [`Issuer::metadata`](super::Issuer::metadata).
    pub(crate) async fn metadata(&self, http: &Transport) -> Result<Option<Arc<Metadata>>, Error> {
        match &self.issuer {
            // The error says nothing about the refresh token or the login that the request is for.
            Some(issuer) => issuer.metadata(http).await.map(Some).map_err(Error::before_request),
            None => Ok(None),
        }
    }

    /// Finds the address for one request.
    pub(crate) async fn resolve(&self, http: &Transport, address: &Address) -> Result<ResolvedAddress, Error> {
        let metadata = self.metadata(http).await?;
        let uri = match (address, &metadata) {
            (Address::Fixed(uri), _) => uri.clone(),
            (Address::Discovered(member), Some(metadata)) => {
                let url = metadata.endpoint(*member, self.prefers_mtls()).map_err(Error::before_request)?;
                // The metadata has only addresses that are valid for both types.
                Uri::try_from(url.as_str()).map_err(|why| Error::argument(member.name(), why))?
            }
            (Address::Discovered(member), None) => {
                return Err(Error::argument(member.name(), "its address is not known; give it, or an issuer"));
            }
        };
        Ok(ResolvedAddress { uri, metadata })
    }

    /// Returns whether the endpoints for clients with a certificate take precedence (RFC 8705 §5).
    fn prefers_mtls(&self) -> bool {
        self.client.has_certificate() || self.issuer.as_ref().is_some_and(|issuer| issuer.prefers_mtls())
    }

    /// Uses the metadata for the error of a request: it may be outdated, or list the methods that the server supports.
    pub(super) fn explain(&self, error: Error, address: &Address, metadata: Option<&Metadata>) -> Error {
        let (Some(issuer), Some(metadata)) = (&self.issuer, metadata) else { return error };
        if matches!(address, Address::Discovered(_)) && error.status().is_some_and(is_absent) {
            issuer.endpoint_has_moved();
        }
        if error.kind() != ErrorKind::ClientRejected {
            return error;
        }
        let member = match address {
            Address::Discovered(EndpointMember::Revocation) => "revocation_endpoint_auth_",
            _ => "token_endpoint_auth_",
        };
        let listed = |list: &str| metadata.listed(&format!("{member}{list}_supported"));
        match (listed("methods"), listed("signing_alg_values")) {
            (Some(methods), Some(algorithms)) => error.with_context(format!(
                "the server's metadata lists only {methods} for client authentication, and {algorithms} for signatures"
            )),
            (Some(methods), None) => {
                error.with_context(format!("the server's metadata lists only {methods} for client authentication"))
            }
            (None, _) => error,
        }
    }
}

/// Returns whether a response with this status may mean that the endpoint is at another address now.
fn is_absent(status: StatusCode) -> bool {
    matches!(status.as_u16(), 300..=399 | 404 | 405 | 410)
}
