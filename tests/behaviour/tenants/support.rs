//! A layer for tenants, whose token endpoint and API are the test, or a server that responds at once.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::task::JoinHandle;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_oauth2::Error;
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::tenants::{IntoTenant, Tenants, TenantsLayer};
use tower_test::mock;

use crate::support::{API_URL, Body, Inner, Server, TOKEN_URL, TokenService, answer, authorization, form, get, token};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tenant(pub(super) &'static str);

/// A key of which there are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Number(pub(super) usize);

pub(super) type Service = Tenants<Inner, Tenant>;
/// A service whose server responds at once.
pub(super) type EchoService<K> = Tenants<TokenService, K>;

/// Returns the grant of a tenant, whose client has the name of the tenant.
pub(super) fn grant(tenant: &Tenant) -> Result<ClientCredentials, Error> {
    ClientCredentials::new(TOKEN_URL, Client::post(tenant.0, "secret"))
}

pub(super) fn numbered_grant(key: &Number) -> Result<ClientCredentials, Error> {
    ClientCredentials::new(TOKEN_URL, Client::post(key.0.to_string(), "secret"))
}

pub(super) fn tenants<L: IntoTenant>(
    make: impl Fn(&Tenant) -> Result<L, Error> + Send + Sync + 'static,
) -> TenantsLayer<Tenant> {
    TenantsLayer::new(make)
}

/// Returns a layer with this maximum.
pub(super) fn numbered(max: usize) -> TenantsLayer<Number> {
    TenantsLayer::new(numbered_grant).max_tenants(max).unwrap()
}

pub(super) fn mock_service(layer: &TenantsLayer<Tenant>) -> (Service, Server) {
    let (inner, handle) = mock::pair();
    (layer.layer(inner), handle.into())
}

/// Returns a request of this tenant to the API.
pub(super) fn request(tenant: &'static str) -> Request<Body> {
    request_to(API_URL, Tenant(tenant))
}

pub(super) fn request_to<K: Clone + Send + Sync + 'static>(uri: &str, key: K) -> Request<Body> {
    let mut request = get(uri);
    request.extensions_mut().insert(key);
    request
}

/// Sends a request in the background.
pub(super) fn spawn(service: &Service, request: Request<Body>) -> JoinHandle<Result<u16, BoxError>> {
    let service = service.clone();
    tokio::spawn(async move { Ok(service.oneshot(request).await?.status().as_u16()) })
}

/// Responds to the next token request with a token that is named like the client.
pub(super) async fn issue(server: &mut Server) -> String {
    let (form, respond) = server.token_request().await;
    let client = client_of(&form);
    respond.send_response(answer(200, token(&client, 3600)));
    client
}

/// Returns the client of a token request.
pub(super) fn client_of(form: &[(String, String)]) -> String {
    form.iter().find(|(name, _)| name == "client_id").unwrap().1.clone()
}

/// An authorization server that numbers the tokens of each client, and an API that repeats the `Authorization` header.
#[derive(Clone, Default)]
pub(super) struct EchoServer(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// The number of token requests of each client.
    issued: HashMap<String, usize>,
    /// The clients whose token requests get no response.
    hanging: HashSet<String>,
    /// The headers that the API rejects.
    rejected: HashSet<String>,
}

impl EchoServer {
    pub(super) fn inner(&self) -> TokenService {
        let server = self.clone();
        TokenService::new(service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                if request.uri() != TOKEN_URL {
                    let header = authorization(&request).unwrap_or("none").to_owned();
                    let is_rejected = server.0.lock().unwrap().rejected.contains(&header);
                    return Ok::<_, BoxError>(answer(if is_rejected { 401 } else { 200 }, header));
                }
                let client = client_of(&form(request).await);
                let number = server.count(&client);
                if server.0.lock().unwrap().hanging.contains(&client) {
                    std::future::pending::<()>().await;
                }
                Ok(answer(200, token(&format!("{client}-{number}"), 3600)))
            }
        }))
    }

    pub(super) fn service<K>(&self, layer: &TenantsLayer<K>) -> EchoService<K> {
        layer.layer(self.inner())
    }

    fn count(&self, client: &str) -> usize {
        let mut seen = self.0.lock().unwrap();
        let count = seen.issued.entry(client.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// Rejects a token from now on.
    pub(super) fn reject(&self, access_token: &str) {
        self.0.lock().unwrap().rejected.insert(format!("Bearer {access_token}"));
    }

    /// Does not respond to the token requests of a client.
    pub(super) fn hang(&self, client: &str) {
        self.0.lock().unwrap().hanging.insert(client.to_owned());
    }

    /// The number of token requests of a client.
    pub(super) fn issued(&self, client: &str) -> usize {
        self.0.lock().unwrap().issued.get(client).copied().unwrap_or_default()
    }

    /// The number of all token requests.
    pub(super) fn all_issued(&self) -> usize {
        self.0.lock().unwrap().issued.values().sum()
    }
}

/// Sends a request with this key, and returns the `Authorization` header that the API has received.
pub(super) async fn sent_with<K>(service: &EchoService<K>, key: K) -> Result<String, BoxError>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
{
    Ok(header_in(service.clone().oneshot(request_to(API_URL, key)).await?).await)
}

/// Returns the `Authorization` header that the API has received.
pub(super) async fn header_in(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}
