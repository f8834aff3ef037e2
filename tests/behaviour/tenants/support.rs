//! A layer for tenants, whose token endpoint and API are the test.

use http::Request;
use tower::ServiceExt;
use tower_oauth2::Error;
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::tenants::{IntoTenant, Tenants, TenantsLayer};
use tower_test::mock;

use crate::support::{API_URL, Body, Inner, Server, TOKEN_URL, get};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tenant(pub(super) &'static str);

pub(super) type Service = Tenants<Inner, Tenant>;

/// Returns the grant of a tenant, whose client has the name of the tenant.
pub(super) fn grant(tenant: &Tenant) -> Result<ClientCredentials, Error> {
    ClientCredentials::new(TOKEN_URL, Client::post(tenant.0, "secret"))
}

pub(super) fn tenants<L: IntoTenant>(
    make: impl Fn(&Tenant) -> Result<L, Error> + Send + Sync + 'static,
) -> TenantsLayer<Tenant> {
    TenantsLayer::new(make)
}

pub(super) fn mock_service(layer: &TenantsLayer<Tenant>) -> (Service, Server) {
    let (inner, handle) = mock::pair();
    (tower::Layer::layer(layer, inner), handle.into())
}

/// Returns a request of this tenant to the API.
pub(super) fn request(tenant: &'static str) -> Request<Body> {
    let mut request = get(API_URL);
    request.extensions_mut().insert(Tenant(tenant));
    request
}

/// Sends a request in the background.
pub(super) fn spawn(
    service: &Service,
    request: Request<Body>,
) -> tokio::task::JoinHandle<Result<u16, tower::BoxError>> {
    let service = service.clone();
    tokio::spawn(async move { Ok(service.oneshot(request).await?.status().as_u16()) })
}

/// Responds to the next token request with a token that is named like the client.
pub(super) async fn issue(server: &mut Server) -> String {
    let (form, respond) = server.token_request().await;
    let client = form.iter().find(|(name, _)| name == "client_id").unwrap().1.clone();
    respond.send_response(crate::support::answer(200, crate::support::token(&client, 3600)));
    client
}
