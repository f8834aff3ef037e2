//! A grant that calls a closure.

use std::fmt;
use std::future::Future;

use super::{Context, Grant};
use crate::dpop::Dpop;
use crate::error::Error;
use crate::token::Token;

/// Makes a [`Grant`] from an async closure or function.
///
/// ```
/// use tower_oauth2::{OAuth2Layer, Token, grant::{Context, grant_fn}};
///
/// let grant = grant_fn(async |_cx: Context| Token::bearer("fixed"));
/// let layer = OAuth2Layer::new(grant);
/// # let _ = layer;
/// ```
///
/// The future must not borrow from the closure. If it needs a captured value, clone the value for each call:
///
/// ```
/// # use std::sync::Arc;
/// # use tower_oauth2::{Error, Token, grant::{Context, grant_fn}};
/// # struct Vault;
/// # impl Vault { async fn read(&self) -> Result<Token, Error> { Token::bearer("a") } }
/// let vault = Arc::new(Vault);
/// let grant = grant_fn(move |_cx: Context| {
///     let vault = vault.clone();
///     async move { vault.read().await }
/// });
/// # let _ = tower_oauth2::OAuth2Layer::new(grant);
/// ```
pub fn grant_fn<F, Fut>(f: F) -> GrantFn<F>
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Token, Error>> + Send,
{
    GrantFn { f, dpop: None }
}

/// A [`Grant`] that calls a closure: see [`grant_fn`].
#[derive(Clone)]
pub struct GrantFn<F> {
    f: F,
    dpop: Option<Dpop>,
}

impl<F> GrantFn<F> {
    /// Sets the key that the tokens of the closure are bound to: see [`Grant::dpop`].
    ///
    /// ```
    /// use tower_oauth2::{OAuth2Layer, dpop::Dpop, endpoint::TokenEndpoint, form::Form, grant::{Context, grant_fn}};
    ///
    /// fn layer(endpoint: TokenEndpoint, dpop: Dpop) -> OAuth2Layer<impl tower_oauth2::grant::Grant> {
    ///     let endpoint = endpoint.dpop(dpop.clone());
    ///     let grant = grant_fn(move |cx: Context| {
    ///         let endpoint = endpoint.clone();
    ///         async move { endpoint.token(cx.transport(), Form::new("urn:example:exchange")).await }
    ///     });
    ///     OAuth2Layer::new(grant.dpop(dpop))
    /// }
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn dpop(self, dpop: Dpop) -> Self {
        Self { dpop: Some(dpop), ..self }
    }
}

impl<F, Fut> Grant for GrantFn<F>
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Token, Error>> + Send,
{
    fn obtain(&self, cx: Context) -> impl Future<Output = Result<Token, Error>> + Send {
        (self.f)(cx)
    }

    fn dpop(&self) -> Option<Dpop> {
        self.dpop.clone()
    }
}

impl<F> fmt::Debug for GrantFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantFn").field("f", &std::any::type_name::<F>()).finish()
    }
}
