//! Sending a request again when its token was refused: a policy for tower's `Retry`.

use std::fmt;
use std::future::{Ready, ready};

use http::{Request, Response};
use http_body::Body;
use tower::retry::Policy;

use crate::future::Refused;

/// Sends a request once more after a response that refused its token, with the next one. A [`tower::retry::Policy`], to be
/// placed *outside* the layer.
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
/// # // Stands for a client: the authorization server counts its tokens, and the API refuses the first.
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
/// // The first token was revoked in the meantime. The caller does not notice.
/// let request = http::Request::get("https://api.example.com/things").body(Full::default())?;
/// assert_eq!(api.ready().await?.call(request).await?.status(), 200);
/// # assert_eq!(CALLS.load(std::sync::atomic::Ordering::SeqCst), 2);
/// # Ok(())
/// # }
/// ```
///
/// It acts on what the layer takes for a refusal of its token: a 401 that does not ask for another scheme, gRPC's
/// `UNAUTHENTICATED` in a trailers-only response, and what
/// [`also_refused`](crate::OAuth2Layer::also_refused) adds. When an API refuses one new token after the other, the layer
/// renews none for a while, and then nothing is sent again either.
///
/// A request is sent again only if its body is empty, or [`replay`](RetryUnauthorized::replay) can copy it: a body that has
/// been sent is gone. When there is no new token to be had, the caller gets that error in place of the refusal.
///
/// # Security
///
/// A server that answers 401 has, by RFC 9110 §15.5.2, not acted on the request. One that has, acts twice.
#[derive(Clone)]
pub struct RetryUnauthorized<F = Empty> {
    replay: F,
    /// Whether the request at hand was sent again already.
    again: bool,
}

/// Copies no body: what [`RetryUnauthorized`] does without [`replay`](RetryUnauthorized::replay).
#[derive(Clone, Copy, Debug)]
pub struct Empty(());

impl RetryUnauthorized {
    /// For requests with empty bodies, by [`Body::is_end_stream`].
    pub fn new() -> Self {
        Self { replay: Empty(()), again: false }
    }

    /// Sends again also what `copy` can copy; `None` is for a body that it cannot, or that is too large to keep.
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
    /// It is asked before a request is sent the first time, so it should be cheap.
    #[must_use]
    pub fn replay<F, B>(self, copy: F) -> RetryUnauthorized<F>
    where
        F: Fn(&B) -> Option<B>,
    {
        RetryUnauthorized { replay: copy, again: self.again }
    }
}

impl Default for RetryUnauthorized {
    fn default() -> Self {
        Self::new()
    }
}

/// How a body is copied.
pub trait Replay<B>: sealed::Replay<B> {}

impl<T: sealed::Replay<B>, B> Replay<B> for T {}

mod sealed {
    pub trait Replay<B> {
        fn copy(&self, body: &B) -> Option<B>;
    }
}

impl<B> sealed::Replay<B> for Empty {
    fn copy(&self, _body: &B) -> Option<B> {
        None
    }
}

impl<B, F: Fn(&B) -> Option<B>> sealed::Replay<B> for F {
    fn copy(&self, body: &B) -> Option<B> {
        self(body)
    }
}

impl<B, R, E, F> Policy<Request<B>, Response<R>, E> for RetryUnauthorized<F>
where
    B: Body + Default,
    F: Replay<B>,
{
    type Future = Ready<()>;

    fn retry(&mut self, _request: &mut Request<B>, result: &mut Result<Response<R>, E>) -> Option<Ready<()>> {
        let refused = result.as_ref().is_ok_and(|response| response.extensions().get::<Refused>().is_some());
        (refused && !std::mem::replace(&mut self.again, true)).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        if self.again {
            return None;
        }
        let body = match self.replay.copy(request.body()) {
            None if request.body().is_end_stream() => B::default(),
            copied => copied?,
        };
        let mut copy = Request::new(body);
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
        f.debug_struct("RetryUnauthorized").field("again", &self.again).finish_non_exhaustive()
    }
}
