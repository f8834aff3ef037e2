//! Decides whether an authorization request is pushed (RFC 9126 §5).

use crate::endpoint::{Address, EndpointMember, Metadata};

/// Says when a request is pushed. By default it is pushed if the metadata requires it.
#[derive(Clone, Debug, Default)]
pub(super) struct PushPolicy {
    /// Always, to this address.
    pub(super) par_endpoint: Option<Address>,
    /// Also if the metadata says that the server does not require it.
    pub(super) if_supported: bool,
}

impl PushPolicy {
    /// Returns the address to push to; `None` if the request is not pushed.
    pub(super) fn address(&self, metadata: Option<&Metadata>) -> Option<Address> {
        if self.par_endpoint.is_some() {
            return self.par_endpoint.clone();
        }
        let metadata = metadata?;
        let is_required = metadata.is_true("require_pushed_authorization_requests");
        let is_supported = || metadata.pushed_authorization_request_endpoint().is_some();
        // If it is required and missing, the push fails, and its error names the member.
        (is_required || (self.if_supported && is_supported()))
            .then_some(Address::Discovered(EndpointMember::PushedAuthorizationRequest))
    }
}
