//! Obtains a token by the application's grant for the authorization server.

use super::{Discovered, MakeGrant, ProtectedResource};
use crate::error::Error;
use crate::grant::resource_needs::ResourceNeeds;
use crate::grant::{BoxGrant, Context, Grant};
use crate::token::Token;

impl ProtectedResource {
    pub(super) async fn obtain_by_grant(
        &self,
        cx: Context,
        found: &Discovered,
        make_grant: &MakeGrant,
    ) -> Result<Token, Error> {
        let grant = self.grant(found, make_grant)?;
        if grant.dpop().is_some() && self.config.endpoint.dpop_key().is_none() {
            let why = "the requests to the API need the key too; set it with `ProtectedResource::dpop` instead of the grant's own";
            return Err(Error::argument("with_grant", why));
        }
        let needs = ResourceNeeds { options: Some(self.config.options()), ..self.needs(found) };
        grant.obtain(cx.with_resource_needs(needs)).await
    }

    /// Returns the grant for this server. It is made once, because grants have state.
    fn grant(&self, found: &Discovered, make_grant: &MakeGrant) -> Result<BoxGrant, Error> {
        if let Some(grant) = self.known.grant(&found.issuer) {
            return Ok(grant);
        }
        let grant = make_grant(found).map_err(Error::before_request)?;
        Ok(self.known.set_grant(&found.issuer, grant))
    }
}
