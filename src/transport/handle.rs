//! The handle with which a grant sends requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::erased::{Adapter, ErasedService, RawResponse, ServiceIdentity};
use super::request_limits::RequestLimits;
use super::rotation::Rotation;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{BoxError, Error};
use crate::observe::WeakRecorder;
use crate::secret::Secret;

/// Sends the requests of a [`Grant`](crate::grant::Grant), through the layer's inner service or the service given to `token_service`.
///
/// It is cheap to clone. The layer's timeout and maximum response size apply to each request. The response is returned unchanged,
/// regardless of its status: redirects are not followed, and a compressed body is not decoded.
/// [`TokenEndpoint`](crate::endpoint::TokenEndpoint) decodes it.
#[derive(Clone)]
pub struct Transport {
    service: Arc<dyn ErasedService>,
    limits: RequestLimits,
    /// Records the first request of a refresh task.
    recorder: WeakRecorder,
    /// Receives the rotated refresh token of a response without a usable access token. `None` outside a grant.
    rotation: Option<Rotation>,
}

impl Transport {
    /// Sends a request and receives the complete response.
    ///
    /// ```
    /// use tower_oauth2::{Token, grant::{Context, grant_fn}};
    ///
    /// // A grant that obtains the token from a metadata server with a protocol that is not OAuth.
    /// let grant = grant_fn(async |cx: Context| {
    ///     let request = http::Request::get("https://metadata.example/token").body(Default::default()).unwrap();
    ///     let response = cx.transport().send(request).await?;
    ///     Token::bearer(String::from_utf8_lossy(response.body()))
    /// });
    /// # let _ = grant;
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Transport`] if the service fails, with its error as the source.
    /// - [`ErrorKind::Timeout`] if there is no complete response within the timeout.
    /// - [`ErrorKind::Malformed`] if the body is longer than the maximum response size.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the request, which the server may have processed already. In a grant this does not happen, because
    /// the layer runs a grant to its end.
    ///
    /// # Security
    ///
    /// The address of the request is not checked. A grant that sends a secret has to check that the address is `https`, as
    /// [`TokenEndpoint`](crate::endpoint::TokenEndpoint) does.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let uri = request.uri().clone();
        let (parts, body) = self.receive(request).await?.into_parts();
        match body {
            Ok(body) => Ok(Response::from_parts(parts, body)),
            Err(error) => Err(error.with_status(parts.status).with_endpoint(&uri)),
        }
    }

    /// Sends a request. If the body of the response cannot be received completely, its status and headers are kept.
    pub(crate) async fn receive(&self, request: Request<Bytes>) -> Result<RawResponse, Error> {
        let uri = request.uri().clone();
        self.recorder.request_sent(&uri);
        let outcome = self.service.send(request, self.limits).await;
        outcome.map_err(|error| error.with_endpoint(&uri))
    }

    /// Creates a transport that sends requests through clones of `service`, to use a grant or an endpoint without a layer. The limits are
    /// the layer's defaults: a timeout of 30 s and a response of 1 MiB.
    ///
    /// The request body of the service can be any type that implements `From<Bytes>`, such as `Full<Bytes>`, `reqwest::Body` or
    /// `axum::body::Body`. For another type, convert the body in front of the service, with `map_request` of tower:
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::Full;
    /// use tower::ServiceBuilder;
    /// use tower_oauth2::transport::Transport;
    ///
    /// # let channel = tower::service_fn(async |_: http::Request<tonic::body::Body>| {
    /// #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    /// # });
    /// // The request body of `channel` is `tonic::body::Body`.
    /// let service = ServiceBuilder::new()
    ///     .map_request(|request: http::Request<Full<Bytes>>| request.map(tonic::body::Body::new))
    ///     .service(channel);
    /// let http = Transport::new(service);
    /// # let _ = http;
    /// ```
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use http_body_util::Full;
    /// # use tower::service_fn;
    /// use tower_oauth2::{client::Client, endpoint::TokenEndpoint, form::Form, transport::Transport};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_oauth2::Error> {
    /// # let http_client = service_fn(async |_: http::Request<Full<Bytes>>| {
    /// #     Ok::<_, std::convert::Infallible>(http::Response::new(r#"{"access_token": "a"}"#.to_owned()))
    /// # });
    /// let http = Transport::new(http_client);
    /// let endpoint = TokenEndpoint::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
    /// let token = endpoint.token(&http, Form::new("client_credentials")).await?;
    /// # assert_eq!(token.access_token(), "a");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// If the service accepts several such types, as an axum `Router` does, name one:
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use http_body_util::Full;
    /// use tower_oauth2::transport::Transport;
    ///
    /// let http = Transport::new::<_, Full<Bytes>, _>(axum::Router::new());
    /// # let _ = http;
    /// ```
    pub fn new<S, B, R>(service: S) -> Self
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        R: Body + Send,
        R::Data: Send,
        R::Error: Into<BoxError>,
        B: From<Bytes> + 'static,
    {
        Self::from_service(service, B::from)
    }

    /// Creates a transport that sends requests through clones of `service`. `body` converts the request body.
    pub(crate) fn from_service<S, F, B, R>(service: S, body: F) -> Self
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        F: Fn(Bytes) -> B + Send + Sync + 'static,
        R: Body + Send,
        R::Data: Send,
        R::Error: Into<BoxError>,
    {
        let (limits, recorder) = (RequestLimits::default(), WeakRecorder::none());
        Self { service: Arc::new(Adapter::new(service, body)), limits, recorder, rotation: None }
    }

    /// Returns the same transport with these limits. It records its requests in `recorder`.
    pub(crate) fn for_refresh_task(self, limits: RequestLimits, recorder: WeakRecorder) -> Self {
        Self { limits, recorder, ..self }
    }

    /// Returns the same transport with a place for the refresh token of a response without a usable access token.
    pub(crate) fn with_rotation(self, rotation: &Rotation) -> Self {
        Self { rotation: Some(rotation.clone()), ..self }
    }

    /// Records that the server has replaced the refresh token `sent` in a response without a usable access token.
    pub(crate) fn record_rotation(&self, sent: Option<Secret>, new: Secret) {
        if let Some(rotation) = &self.rotation {
            rotation.set(sent, new);
        }
    }

    /// Returns the maximum size of a response body, in bytes.
    pub(crate) fn max_response_size(&self) -> usize {
        self.limits.max_response_size
    }

    /// Returns the timeout of a token request, which also applies to obtaining a proof for it.
    pub(crate) fn timeout(&self) -> Duration {
        self.limits.timeout
    }

    /// Returns the identity of the service, which clones of the transport share.
    pub(crate) fn service_identity(&self) -> ServiceIdentity {
        ServiceIdentity::of(&self.service)
    }

    pub(crate) fn recorder(&self) -> &WeakRecorder {
        &self.recorder
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("limits", &self.limits).finish_non_exhaustive()
    }
}
