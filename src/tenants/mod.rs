//! One token for each tenant or user: a layer that keeps a token cell for each key, and drops the least used ones beyond a maximum.
//!
//! [`docs::tenants`](crate::docs::tenants) explains it with examples.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_oauth2::{client::Client, grant::ClientCredentials, tenants::TenantsLayer};
//!
//! /// The key: who the request is for.
//! #[derive(Clone, PartialEq, Eq, Hash)]
//! struct Tenant(&'static str);
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! # // A mock client: authorization servers whose tokens are named like them, and an API that returns the `Authorization` header.
//! # let http_client = tower::service_fn(async |request: http::Request<Full<Bytes>>| {
//! #     let body = match request.uri().host() {
//! #         Some("api.example.com") => request.headers()["authorization"].to_str().unwrap().to_owned(),
//! #         Some(server) => format!(r#"{{"access_token": "of-{}"}}"#, server.split('.').next().unwrap()),
//! #         None => unreachable!(),
//! #     };
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from(body))))
//! # });
//! let tenants = TenantsLayer::new(|tenant: &Tenant| {
//!     let url = format!("https://{}.example.net/token", tenant.0);
//!     ClientCredentials::new(&url, Client::basic("id", "secret"))
//! });
//! let mut api = ServiceBuilder::new().layer(tenants).service(http_client);
//!
//! for (tenant, expected) in [("acme", "Bearer of-acme"), ("initech", "Bearer of-initech")] {
//!     let mut request = http::Request::get("https://api.example.com/things").body(Full::default())?;
//!     request.extensions_mut().insert(Tenant(tenant));
//!     let response = api.ready().await?.call(request).await?;
//! #   use http_body_util::BodyExt;
//! #   let body = response.into_body().collect().await?.to_bytes();
//! #   assert_eq!(body, expected);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | file | content |
//! | --- | --- |
//! | `tenants_layer` | the layer and its options |
//! | `tenants_service`, `tenant_future` | the service, and the response future |
//! | `map`, `creations`, `creation_guard` | the cells by key, and which of them are dropped; cells that are being created; a function that asks for the cell that it creates |
//! | `tenant` | one cell, and what belongs to it |
//! | `into_tenant` | what the function of the application returns for a key |
//! | `subject` | a subject token as the key |

mod creation_guard;
mod creations;
mod into_tenant;
#[cfg(all(test, tower_oauth2_loom))]
mod loom_models;
mod map;
mod subject;
mod tenant;
mod tenant_future;
mod tenants_layer;
mod tenants_service;

pub use self::into_tenant::IntoTenant;
pub use self::subject::Subject;
pub use self::tenant_future::TenantFuture;
pub use self::tenants_layer::TenantsLayer;
pub use self::tenants_service::Tenants;
