//! What the function of the application returns for a key.

use super::tenant::Tenant;
use crate::grant::Grant;
use crate::layer::OAuth2Layer;
use crate::route::{ThroughInner, ThroughService};

/// What the function of [`TenantsLayer::new`](super::TenantsLayer::new) returns for a key: a grant, or a layer with its options.
///
/// Sealed: implemented by every [`Grant`], by [`OAuth2Layer`], and by an [`OAuth2Layer`] with its own
/// [`token_service`](OAuth2Layer::token_service).
///
/// ```
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, tenants::TenantsLayer};
///
/// // A grant.
/// let tenants = TenantsLayer::new(|id: &u64| {
///     ClientCredentials::new("https://auth.example.com/token", Client::basic(format!("tenant-{id}"), "secret"))
/// });
/// # let _ = tenants;
///
/// // A layer: the token of a tenant is sent to its API only.
/// let tenants = TenantsLayer::new(|id: &u64| {
///     let client = Client::basic(format!("tenant-{id}"), "secret");
///     let grant = ClientCredentials::new("https://auth.example.com/token", client)?;
///     OAuth2Layer::new(grant).origin(format!("https://tenant-{id}.example.com"))
/// });
/// # let _ = tenants;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a grant nor a layer of a tenant",
    note = "return a `Grant`, or an `OAuth2Layer` without `token_body`, which is set on the `TenantsLayer`"
)]
pub trait IntoTenant: sealed::MakeTenant {}

impl<L: sealed::MakeTenant> IntoTenant for L {}

mod sealed {
    use super::Tenant;

    pub trait MakeTenant {
        fn into_tenant(self) -> Tenant;
    }
}

pub(super) use self::sealed::MakeTenant;

impl<G: Grant> MakeTenant for G {
    fn into_tenant(self) -> Tenant {
        OAuth2Layer::new(self).into_tenant()
    }
}

impl<G> MakeTenant for OAuth2Layer<G, ThroughInner> {
    fn into_tenant(self) -> Tenant {
        Tenant::new(self.cell, self.policy, None)
    }
}

impl<G> MakeTenant for OAuth2Layer<G, ThroughService> {
    fn into_tenant(self) -> Tenant {
        Tenant::new(self.cell, self.policy, Some(self.route.0))
    }
}
