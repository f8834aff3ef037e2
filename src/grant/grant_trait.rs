//! The trait of all grants, and the type that erases the type of a grant.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::context::Context;
use crate::dpop::Dpop;
use crate::error::Error;
use crate::token::Token;

/// A way to obtain a token.
///
/// Implement one `async fn`, or pass a closure to [`grant_fn`](super::grant_fn):
///
/// ```
/// use tower_oauth2::{Error, OAuth2Layer, Token, grant::{Context, Grant, grant_fn}};
///
/// struct FromTheVault;
///
/// impl Grant for FromTheVault {
///     async fn obtain(&self, cx: Context) -> Result<Token, Error> {
///         let request = http::Request::get("https://vault.example.com/v1/token").body(Default::default()).unwrap();
///         let response = cx.transport().send(request).await?;
///         Token::bearer(String::from_utf8_lossy(response.body()))
///     }
/// }
///
/// let layer = OAuth2Layer::new(FromTheVault);
/// let layer = OAuth2Layer::new(grant_fn(async |_cx: Context| Token::bearer("fixed")));
/// # let _ = layer;
/// ```
///
/// `Arc<G>`, `Box<G>` and [`BoxGrant`] are grants too. A grant that wraps another one forwards all methods.
pub trait Grant: Send + Sync + 'static {
    /// Obtains a token.
    ///
    /// The layer calls it if there is no token that can be sent, and before a token expires
    /// ([`Reason::Proactive`](super::Reason::Proactive)). Calls do not overlap, unless [`Tokens::set`](crate::Tokens::set) or
    /// [`Tokens::forget`](crate::Tokens::forget) has superseded the running one. The [`Context`] has the previous token, whose
    /// refresh token may still be valid, the [`Reason`](super::Reason), and the transport that sends requests.
    ///
    /// # Errors
    ///
    /// Each request that waits for this token fails with the error, and the next attempt starts after the back-off.
    /// [`Error::caused_by`] wraps an error of your own, with a [suitable kind](crate::docs::grants#kinds-of-errors).
    ///
    /// # Panics
    ///
    /// A panic becomes [`ErrorKind::Panicked`](crate::ErrorKind::Panicked) for all waiters.
    ///
    /// # Cancel safety
    ///
    /// Inside a tokio runtime the future is a task of its own, which runs to its end even if all waiters are dropped. It is dropped early
    /// if it is not polled for longer than the token timeout, because its runtime is blocked or idle, and at the end of a program that does
    /// not call [`Tokens::flush`](crate::Tokens::flush).
    fn obtain(&self, cx: Context) -> impl Future<Output = Result<Token, Error>> + Send;

    /// Returns the grant's name in [spans and metrics](crate::docs::observing).
    ///
    /// The grants of this crate have the names of RFC 6749 and RFC 8628. Only the features `tracing` and `metrics` use it.
    fn name(&self) -> &'static str {
        "custom"
    }

    /// Returns the token that a layer starts with, before any token request.
    ///
    /// It is called once, when the layer is created. An expired token without a refresh token counts as none. The grants of this
    /// crate return the token of their method `token`, and [`Persisted`](super::Persisted) returns none.
    fn initial_token(&self) -> Option<Token> {
        None
    }

    /// Returns the key that the tokens of this grant are bound to ([RFC 9449]). The layer signs the proofs of its requests with it.
    ///
    /// It is called once, when the layer is created. The grants of this crate return the key of their method `dpop`. Implement it for a
    /// grant that talks to a [`TokenEndpoint`](crate::endpoint::TokenEndpoint) with a key:
    ///
    /// ```
    /// use tower_oauth2::{Error, Token, dpop::Dpop, endpoint::TokenEndpoint, form::Form, grant::{Context, Grant}};
    ///
    /// struct Exchange {
    ///     endpoint: TokenEndpoint,
    ///     dpop: Dpop,
    /// }
    ///
    /// impl Exchange {
    ///     fn new(endpoint: TokenEndpoint, dpop: Dpop) -> Self {
    ///         Self { endpoint: endpoint.dpop(dpop.clone()), dpop }
    ///     }
    /// }
    ///
    /// impl Grant for Exchange {
    ///     async fn obtain(&self, cx: Context) -> Result<Token, Error> {
    ///         self.endpoint.token(cx.transport(), Form::new("urn:example:exchange")).await
    ///     }
    ///
    ///     fn dpop(&self) -> Option<Dpop> {
    ///         Some(self.dpop.clone())
    ///     }
    /// }
    /// # let _ = Exchange::new;
    /// ```
    ///
    /// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
    fn dpop(&self) -> Option<Dpop> {
        None
    }

    /// Erases the type of the grant.
    fn boxed(self) -> BoxGrant
    where
        Self: Sized,
    {
        BoxGrant::new(self)
    }
}

/// A [`Grant`] whose type is erased, made by [`Grant::boxed`]: to choose the grant at run time, or to name its type.
///
/// Clones share the grant.
///
/// ```
/// use tower_oauth2::{Error, OAuth2Layer, client::Client, grant::{BoxGrant, ClientCredentials, Grant, RefreshToken}};
///
/// fn grant(stored: Option<String>) -> Result<BoxGrant, Error> {
///     let url = "https://auth.example.com/token";
///     Ok(match stored {
///         Some(refresh_token) => RefreshToken::new(url, Client::public("id"), refresh_token)?.boxed(),
///         None => ClientCredentials::new(url, Client::basic("id", "secret"))?.boxed(),
///     })
/// }
///
/// # fn main() -> Result<(), Error> {
/// assert_eq!(grant(None)?.name(), "client_credentials");
/// let layer: OAuth2Layer<BoxGrant> = OAuth2Layer::new(grant(Some("tGzv3JOkF0XG5Qx2TlKWIA".into()))?);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// [`OAuth2Layer::boxed`](crate::OAuth2Layer::boxed) erases the type of the grant of a layer.
#[derive(Clone)]
pub struct BoxGrant(Arc<dyn ErasedGrant>);

type ObtainFuture<'a> = Pin<Box<dyn Future<Output = Result<Token, Error>> + Send + 'a>>;

trait ErasedGrant: Send + Sync {
    fn obtain(&self, cx: Context) -> ObtainFuture<'_>;
    fn name(&self) -> &'static str;
    fn initial_token(&self) -> Option<Token>;
    fn dpop(&self) -> Option<Dpop>;
}

impl<G: Grant> ErasedGrant for G {
    fn obtain(&self, cx: Context) -> ObtainFuture<'_> {
        Box::pin(Grant::obtain(self, cx))
    }

    fn name(&self) -> &'static str {
        Grant::name(self)
    }

    fn initial_token(&self) -> Option<Token> {
        Grant::initial_token(self)
    }

    fn dpop(&self) -> Option<Dpop> {
        Grant::dpop(self)
    }
}

impl BoxGrant {
    pub(super) fn new(grant: impl Grant) -> Self {
        Self(Arc::new(grant))
    }
}

impl BoxGrant {
    /// Calls [`Grant::obtain`] and boxes its future.
    pub(crate) fn obtain_boxed(&self, cx: Context) -> ObtainFuture<'_> {
        self.0.obtain(cx)
    }
}

impl Grant for BoxGrant {
    fn obtain(&self, cx: Context) -> impl Future<Output = Result<Token, Error>> + Send {
        self.obtain_boxed(cx)
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn initial_token(&self) -> Option<Token> {
        self.0.initial_token()
    }

    fn dpop(&self) -> Option<Dpop> {
        self.0.dpop()
    }

    /// Returns the grant itself, which is not boxed twice.
    fn boxed(self) -> BoxGrant {
        self
    }
}

impl fmt::Debug for BoxGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxGrant").field("name", &self.0.name()).finish_non_exhaustive()
    }
}

/// Forwards to the inner grant.
impl<G: Grant> Grant for Arc<G> {
    fn obtain(&self, cx: Context) -> impl Future<Output = Result<Token, Error>> + Send {
        G::obtain(self, cx)
    }

    fn name(&self) -> &'static str {
        G::name(self)
    }

    fn initial_token(&self) -> Option<Token> {
        G::initial_token(self)
    }

    fn dpop(&self) -> Option<Dpop> {
        G::dpop(self)
    }
}

/// Forwards to the inner grant.
impl<G: Grant> Grant for Box<G> {
    fn obtain(&self, cx: Context) -> impl Future<Output = Result<Token, Error>> + Send {
        G::obtain(self, cx)
    }

    fn name(&self) -> &'static str {
        G::name(self)
    }

    fn initial_token(&self) -> Option<Token> {
        G::initial_token(self)
    }

    fn dpop(&self) -> Option<Dpop> {
        G::dpop(self)
    }
}
