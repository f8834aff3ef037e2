//! Repeats requests whose token the API rejected, or whose DPoP proof lacks the nonce of the API.
//!
//! The OAuth layer adds a [`TokenRejected`] to the response of such a request. If the token was rejected, it obtains a newer one for the next
//! request. If the API [demands a nonce](crate::docs::dpop#nonces), the token stays in use. A layer *outside* of it repeats the request, once for each
//! of the two reasons:
//!
//! | request body `B` | layer | bounds |
//! | --- | --- | --- |
//! | empty | `RetryLayer::new(RetryUnauthorized::new())` | `Body + Default`: the copy of an empty body is `B::default()` |
//! | `Clone`, such as `Full<Bytes>` | `RetryLayer::new(RetryUnauthorized::new().buffered(max_bytes))` | `Body + Clone` |
//! | copied by a function of the application | `RetryLayer::new(RetryUnauthorized::new().replay(f))` | `Body + Default`; `f` is `Fn(&B) -> Option<B> + Clone` |
//! | not `Default`, and copied by such a function, such as that of kube | `RetryLayer::new(RetryUnauthorized::new().replay_only(f))` | `f` is `Fn(&B) -> Option<B> + Clone` |
//! | readable only once: tonic, reqwest, axum | `RetryUnauthorized::new().buffered(max_bytes).into_layer(f)` | `Body + Unpin`; `f` is `Fn(RecordedBody<B>) -> B + Clone` |
//!
//! The service below must be `Clone`. If a body is not `Unpin`, or fits in no row, box it with tower's `map_request`, for example into
//! `http_body_util::combinators::UnsyncBoxBody`.
//!
//! # Bodies that can only be read once
//!
//! [`into_layer`](RetryUnauthorized::into_layer) creates a layer that records up to `max_bytes` of such a body while it is sent. A request
//! is repeated only if its whole body was recorded before the rejection arrived. For other requests the caller gets the rejection:
//!
//! - the body has more than `max_bytes`;
//! - the body is a stream that is still being sent, such as in a client-streaming or bidirectional gRPC call.
//!
//! A body in memory, and the body of a unary gRPC call, are recorded completely before they are sent. So they can be repeated even if the
//! rejection arrives early. Up to `max_bytes` of the data that a body has ready are read in advance. The recording is dropped when the
//! response arrives.
//!
//! Over a tonic `Channel`:
//!
//! ```no_run
//! # use bytes::Bytes;
//! # use http_body_util::Full;
//! # use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
//! use tonic::transport::Channel;
//! use tower::ServiceBuilder;
//! use tower_oauth2::{OAuth2Layer, grant::ClientCredentials, retry::RetryUnauthorized};
//!
//! # async fn example<S>(grant: ClientCredentials, http_client: S) -> Result<(), tower::BoxError>
//! # where
//! #     S: tower::Service<http::Request<Full<Bytes>>, Response = http::Response<Full<Bytes>>, Error = tower::BoxError>,
//! #     S: Clone + Send + 'static,
//! #     S::Future: Send,
//! # {
//! let channel = Channel::from_static("https://api.example.com").connect().await?;
//! let service = ServiceBuilder::new()
//!     .layer(RetryUnauthorized::new().buffered(64 * 1024).into_layer(tonic::body::Body::new))
//!     .layer(OAuth2Layer::new(grant).token_service(http_client))
//!     .service(channel);
//!
//! let mut client = HealthClient::new(service);
//! client.check(HealthCheckRequest::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Over reqwest, with the crate `tower-reqwest`:
//!
//! ```no_run
//! # use tower_oauth2::grant::ClientCredentials;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_oauth2::{OAuth2Layer, retry::RetryUnauthorized};
//! use tower_reqwest::HttpClientLayer;
//!
//! # async fn example(grant: ClientCredentials) -> Result<(), tower::BoxError> {
//! let reqwest = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
//! let mut client = ServiceBuilder::new()
//!     .layer(RetryUnauthorized::new().buffered(64 * 1024).into_layer(reqwest::Body::wrap))
//!     .layer(OAuth2Layer::new(grant).origin("https://api.example.com")?)
//!     .layer(HttpClientLayer)
//!     .service(reqwest);
//!
//! let request = http::Request::post("https://api.example.com/orders").body("one apple".into())?;
//! let response = client.ready().await?.call(request).await?;
//! # drop(response);
//! # Ok(())
//! # }
//! ```
//!
//! To reqwest a recorded body is a stream, so reqwest does not repeat the request after redirects and HTTP/2 errors, as it does for bodies in
//! memory. To keep that behaviour, copy bodies that are in memory with a policy:
//!
//! ```
//! use tower::retry::RetryLayer;
//! use tower_oauth2::retry::RetryUnauthorized;
//!
//! let copy = |body: &reqwest::Body| {
//!     let bytes = body.as_bytes()?;
//!     (bytes.len() <= 64 * 1024).then(|| bytes.to_vec().into())
//! };
//! let layer = RetryLayer::new(RetryUnauthorized::new().replay(copy));
//! # let _ = layer;
//! ```
//!
//! # Custom retry layers
//!
//! [`TokenRejected::is_retryable`] returns whether a retry may succeed. [`TokenRejected::prepare_retry`] makes the repeated request wait for a
//! newer token, or use the nonce of the response: [`TokenRejected::reason`] returns which. Limit the retries for each reason. Another retry layer,
//! such as one for connection errors, must be outside of the OAuth layer too, because a server may accept each DPoP proof only once.

mod policy;
mod recorded_body;
mod recording;
mod repetitions;
mod replay;

// For rustdoc's search, the aliases of a type in a private module must be on its re-export.
#[doc(alias = "401")]
#[doc(alias = "retry")]
pub use self::policy::RetryUnauthorized;
pub use self::recorded_body::RecordedBody;
pub use self::recording::{RecordingFuture, RecordingLayer, RecordingService};
pub use self::replay::{Buffered, Empty, Replay, ReplayOnly};
pub use crate::extensions::{RejectionReason, TokenRejected};
