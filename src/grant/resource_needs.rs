//! What a protected resource requires of the requests for its tokens, whatever the grant (RFC 8707, RFC 9728).

use super::parameters::Parameters;
use crate::dpop::Dpop;
use crate::endpoint::TokenEndpoint;

/// The parameters of token requests that a protected resource decides.
#[derive(Clone, Debug)]
pub(in crate::grant) struct ResourceNeeds {
    /// The identifier, as it is written in the metadata.
    pub(in crate::grant) resource: String,
    /// Added to the scope of the grant.
    pub(in crate::grant) scope: Option<String>,
    /// The scope of a request that would have none.
    pub(in crate::grant) default_scope: Option<String>,
    /// The key that proves the requests to the API, and so the one that the token must be bound to.
    pub(in crate::grant) dpop: Option<Dpop>,
    /// The options of the resource's grant, if the grant that sends the requests is another one.
    pub(in crate::grant) options: Option<ResourceOptions>,
}

/// What the application has set for all requests. The endpoint has no address.
#[derive(Clone, Debug)]
pub(in crate::grant) struct ResourceOptions {
    pub(in crate::grant) parameters: Parameters,
    pub(in crate::grant) endpoint: TokenEndpoint,
}

impl ResourceNeeds {
    /// Adds to the parameters of a grant what the resource requires.
    pub(in crate::grant) fn parameters(&self, parameters: Parameters) -> Parameters {
        let parameters = match &self.options {
            Some(options) => parameters.with_options_of(&options.parameters),
            None => parameters,
        };
        parameters.for_resource(&self.resource, self.scope.as_deref(), self.default_scope.as_deref())
    }

    /// Returns the endpoint of a grant with the options and the key of the resource; `None` if there are none.
    pub(in crate::grant) fn endpoint(&self, endpoint: &TokenEndpoint) -> Option<TokenEndpoint> {
        let dpop = self.dpop.clone().filter(|_| endpoint.dpop_key().is_none());
        if dpop.is_none() && self.options.is_none() {
            return None;
        }
        let endpoint = dpop.into_iter().fold(endpoint.clone(), TokenEndpoint::dpop);
        Some(self.options.iter().fold(endpoint, |endpoint, options| endpoint.with_options_of(&options.endpoint)))
    }
}
