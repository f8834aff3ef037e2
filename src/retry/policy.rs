//! A policy for tower's `Retry`, which copies a request before it is sent.

use std::fmt;
use std::future::{Ready, ready};

use http::{Request, Response};
use http_body::Body;
use tower::retry::Policy;

use super::recorded_body::RecordedBody;
use super::recording::RecordingLayer;
use super::repetitions::Repetitions;
use super::replay::{Buffered, Empty, Replay, ReplayOnly};
#[cfg(doc)]
use crate::extensions::TokenRejected;

/// Repeats a request once, with a newer token, if the API rejected its token.
///
/// With [DPoP](crate::docs::dpop), it also repeats a request once, at once and with the same token, if the API demands a nonce. Each attempt has its
/// own proof. With [`on_challenge`](crate::OAuth2Layer::on_challenge) and [`step_up`](crate::OAuth2Layer::step_up), it repeats a request twice at most
/// if the API demands a first token, or more of the token. A request that was repeated for one reason may be repeated for the others.
///
/// It is a [`tower::retry::Policy`]. Place it *outside* the OAuth layer.
///
/// ```
/// # use bytes::Bytes;
/// # use http_body_util::Full;
/// # use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
/// use tower::retry::RetryLayer;
/// use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, retry::RetryUnauthorized};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// # // A mock client: the authorization server numbers its tokens, and the API rejects the first.
/// # static CALLS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
/// # let http_client = service_fn(async |request: http::Request<Full<Bytes>>| {
/// #     let (status, body) = match request.uri().host() {
/// #         Some("auth.example.com") => {
/// #             let call = CALLS.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
/// #             (200, format!(r#"{{"access_token": "{call}"}}"#))
/// #         }
/// #         _ if request.headers()["authorization"] == "Bearer 0" => (401, String::new()),
/// #         _ => (200, String::new()),
/// #     };
/// #     Ok::<_, tower::BoxError>(http::Response::builder().status(status).body(Full::new(Bytes::from(body)))?)
/// # });
/// # let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret"))?;
/// let mut api = ServiceBuilder::new()
///     .layer(RetryLayer::new(RetryUnauthorized::new()))
///     .layer(OAuth2Layer::new(grant))
///     .service(http_client);
///
/// // The API rejects the first token. The request is repeated with a second one.
/// let request = http::Request::get("https://api.example.com/things").body(Full::default())?;
/// assert_eq!(api.ready().await?.call(request).await?.status(), 200);
/// # assert_eq!(CALLS.load(std::sync::atomic::Ordering::SeqCst), 2);
/// # Ok(())
/// # }
/// ```
///
/// It repeats the request of a response to which the OAuth layer added a [`TokenRejected`]: a 401, unless it requires another scheme or rejects
/// the DPoP proof; gRPC's `UNAUTHENTICATED` in a trailers-only response; responses that [`reject_when`](crate::OAuth2Layer::reject_when) matches; and
/// challenges. If
/// an API rejects each new token, the layer backs off before the next refresh, and no request is repeated meanwhile.
///
/// A request is repeated only if its body is empty or can be sent twice: [`replay`](RetryUnauthorized::replay) copies a body with a
/// function, and [`buffered`](RetryUnauthorized::buffered) keeps a copy. If no newer token can be obtained, the caller gets that error
/// instead of the rejection.
///
/// # Security
///
/// A server that responds with 401 has not applied the request (RFC 9110 §15.5.2). A server that violates this applies it twice.
#[derive(Clone)]
pub struct RetryUnauthorized<F = Empty> {
    replay: F,
    repetitions: Repetitions,
}

impl RetryUnauthorized {
    /// Creates a policy that repeats requests with an empty body ([`Body::is_end_stream`]).
    pub fn new() -> Self {
        Self { replay: Empty(()), repetitions: Repetitions::default() }
    }

    /// Repeats also requests whose body `copy` can copy.
    ///
    /// `copy` returns `None` for a body that cannot be copied or is too large.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::Full;
    /// use tower_oauth2::retry::RetryUnauthorized;
    ///
    /// let policy = RetryUnauthorized::new().replay(|body: &Full<Bytes>| Some(body.clone()));
    /// # let _ = policy;
    /// ```
    ///
    /// `copy` is called before each request is sent for the first time, so it should be cheap.
    #[must_use]
    pub fn replay<F, B>(self, copy: F) -> RetryUnauthorized<F>
    where
        F: Fn(&B) -> Option<B>,
    {
        RetryUnauthorized { replay: copy, repetitions: self.repetitions }
    }

    /// Repeats the requests whose body `copy` can copy, and no others.
    ///
    /// It is for bodies that are not `Default`, such as [that of kube](crate::docs::clients#kube). Unlike with
    /// [`replay`](RetryUnauthorized::replay), a request with an empty body is repeated only if `copy` copies that body.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::{Either, Empty, Full};
    /// use tower::retry::RetryLayer;
    /// use tower_oauth2::retry::RetryUnauthorized;
    ///
    /// let copy = |body: &Either<Full<Bytes>, Empty<Bytes>>| Some(body.clone());
    /// let layer = RetryLayer::new(RetryUnauthorized::new().replay_only(copy));
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn replay_only<F, B>(self, copy: F) -> RetryUnauthorized<ReplayOnly<F>>
    where
        F: Fn(&B) -> Option<B>,
    {
        RetryUnauthorized { replay: ReplayOnly { copy }, repetitions: self.repetitions }
    }

    /// Repeats also requests whose body has at most `max_bytes`. The body is kept until the response arrives.
    ///
    /// The policy clones bodies that have a known size, such as `Full<Bytes>`. The clone must have its own position: a clone that is empty once the
    /// other one was sent, such as that of octocrab's `OctoBody`, would be sent again as an empty body. Copy such a body with
    /// [`replay`](RetryUnauthorized::replay).
    ///
    /// ```
    /// use tower::retry::RetryLayer;
    /// use tower_oauth2::retry::RetryUnauthorized;
    ///
    /// let layer = RetryLayer::new(RetryUnauthorized::new().buffered(64 * 1024));
    /// # let _ = layer;
    /// ```
    ///
    /// For bodies that can only be read once, such as those of tonic and reqwest, [`into_layer`](RetryUnauthorized::into_layer) creates a layer
    /// that records the body while it is sent.
    #[must_use]
    pub fn buffered(self, max_bytes: usize) -> RetryUnauthorized<Buffered> {
        RetryUnauthorized { replay: Buffered { max_bytes }, repetitions: self.repetitions }
    }
}

impl RetryUnauthorized<Buffered> {
    /// Creates a layer that records each request body while it is sent, and repeats the request with the recording.
    ///
    /// Use it instead of tower's `RetryLayer`, *outside* the OAuth layer. A policy cannot read a body.
    ///
    /// `wrap` converts the recorded body to the body type of the services below: `tonic::body::Body::new`,
    /// `reqwest::Body::wrap`, `axum::body::Body::new` or `UnsyncBoxBody::new`. The [module](crate::retry#bodies-that-can-only-be-read-once)
    /// has examples.
    pub fn into_layer<F, B>(self, wrap: F) -> RecordingLayer<F>
    where
        F: Fn(RecordedBody<B>) -> B,
        B: Body,
    {
        RecordingLayer::new(self.replay.max_bytes, wrap)
    }
}

impl Default for RetryUnauthorized {
    fn default() -> Self {
        Self::new()
    }
}

impl<B, R, E, F> Policy<Request<B>, Response<R>, E> for RetryUnauthorized<F>
where
    F: Replay<B>,
{
    type Future = Ready<()>;

    fn retry(&mut self, request: &mut Request<B>, result: &mut Result<Response<R>, E>) -> Option<Ready<()>> {
        let rejected = self.repetitions.next(result.as_ref().ok()?)?;
        rejected.prepare_retry(request);
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        if self.repetitions.is_exhausted() {
            return None;
        }
        let mut copy = Request::new(self.replay.copy(request.body())?);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        Some(copy)
    }
}

impl<F> fmt::Debug for RetryUnauthorized<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryUnauthorized").field("repetitions", &self.repetitions).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::Full;

    use super::*;
    use crate::extensions::{NewerThan, TokenRejected};

    fn rejected(is_retryable: bool) -> Result<Response<()>, ()> {
        let mut response = Response::new(());
        response.extensions_mut().insert(TokenRejected::token(7, is_retryable));
        Ok(response)
    }

    #[test]
    fn the_repeated_request_requires_a_newer_token() {
        let mut request = Request::new(Full::<Bytes>::default());
        let mut policy = RetryUnauthorized::new();
        assert!(policy.retry(&mut request, &mut rejected(false)).is_none());
        assert_eq!(request.extensions().get::<NewerThan>(), None);
        assert!(policy.retry(&mut request, &mut rejected(true)).is_some());
        assert_eq!(request.extensions().get(), Some(&NewerThan(7)));
        assert!(policy.retry(&mut request, &mut rejected(true)).is_none(), "once");
    }
}
