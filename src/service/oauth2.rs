//! The service, and the state that its clones share.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::authorize::{AuthorizePolicy, FastPolicy, SharedPolicy};
use crate::cell::{
    BoundedWait, CachedError, CachedHeader, CachedToken, FreshFlag, ServiceTransport, TokenCell, Tokens,
};
use crate::route::ThroughInner;

/// A service that attaches a token to its requests. Created by [`OAuth2Layer`](crate::OAuth2Layer).
///
/// It is ready when there is a token and the inner service is ready. If no token can be obtained, `call` returns the error.
/// `poll_ready` does not, because callers treat a service whose `poll_ready` fails as permanently broken.
///
/// The type parameters are the inner service, the grant and, unless token requests are sent through the inner service, their
/// [route](crate::route):
///
/// ```
/// use tower::Layer;
/// use tower_oauth2::{OAuth2, OAuth2Layer, Token, grant::{BoxGrant, Context, Grant, grant_fn}};
///
/// struct Program<S> {
///     api: OAuth2<S, BoxGrant>,
/// }
///
/// let grant = grant_fn(async |_: Context| Token::bearer("2YotnFZFEjr1zCsicMWpAA")).boxed();
/// let program = Program { api: OAuth2Layer::new(grant).layer("an HTTP client") };
/// assert_eq!(program.api.tokens().peek(), None);
/// assert_eq!(program.api.get_ref(), &"an HTTP client");
/// ```
///
/// # Errors
///
/// Errors of the inner service are returned unchanged. Errors of the layer are an [`Error`](crate::Error) in the box: downcast to it, and
/// match its [`kind`](crate::Error::kind).
///
/// # Cancel safety
///
/// Dropping a service that waits for a token does not cancel the token request. See [readiness](crate::docs::readiness).
pub struct OAuth2<S, G, T = ThroughInner> {
    pub(super) inner: S,
    pub(super) shared: Arc<ServiceState<T>>,
    pub(super) readiness: Readiness,
    /// Whether there is a token to send, or none is needed, so that `poll_ready` polls only the inner service. `readiness` is `Idle` then. A separate field,
    /// because replacing the enum would check on the fast path whether the previous variant needs to be dropped.
    pub(super) has_token: bool,
    /// The header of the last request.
    pub(super) header: CachedHeader,
    grant: PhantomData<fn() -> G>,
}

/// The state that the clones of a service share.
pub(crate) struct ServiceState<T> {
    pub(super) cell: Arc<TokenCell>,
    /// The policy when the service was built. Later changes of the layer do not apply to it.
    pub(super) policy: Arc<AuthorizePolicy>,
    /// The part of `policy` that the fast path checks.
    pub(super) fast_policy: FastPolicy,
    pub(super) route: T,
    /// The flag of `cell`, which the fast path reads directly.
    pub(super) fresh: Arc<FreshFlag>,
    /// The transport for token requests of handles. The first `poll_ready` registers it.
    pub(super) transport: ServiceTransport,
    /// The policy for handles of this service.
    handle_policy: SharedPolicy,
}

/// How far `poll_ready` has progressed. `call` resets it, and a clone starts with `Idle`.
#[derive(Default)]
pub(crate) enum Readiness {
    #[default]
    Idle,
    /// A token request is running. The inner service was not polled yet, so that it reserves no permit or connection meanwhile.
    Waiting(Box<BoundedWait>),
    /// The token was stale when it arrived. One request is sent with it nevertheless, because the next token may be stale, too.
    ArrivedStale(Arc<CachedToken>),
    /// No token could be obtained. The inner service was not polled, and `call` returns the error.
    Failed(Box<CachedError>),
}

impl<S, G, T> OAuth2<S, G, T> {
    pub(crate) fn new(inner: S, shared: Arc<ServiceState<T>>) -> Self {
        let header = CachedHeader::default();
        Self { inner, shared, readiness: Readiness::Idle, has_token: false, header, grant: PhantomData }
    }

    /// Returns a handle to the token that all services of the layer share.
    pub fn tokens(&self) -> Tokens {
        Tokens::new(self.shared.cell.clone(), self.shared.handle_policy.clone())
    }

    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    ///
    /// Between `poll_ready` and `call` the inner service is ready. Do not call or replace it then.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<T> ServiceState<T> {
    pub(crate) fn new(cell: Arc<TokenCell>, handle_policy: SharedPolicy, route: T) -> Arc<Self> {
        let (policy, fresh, transport) = (handle_policy.load(), cell.fresh.clone(), ServiceTransport::default());
        let fast_policy = policy.fast();
        Arc::new(Self { cell, policy, fast_policy, route, fresh, transport, handle_policy })
    }

    /// Returns whether requests are sent without a token now, because no server has demanded one.
    pub(super) fn sends_without_token(&self) -> bool {
        self.cell.generation_without_token(&self.policy, None).is_some()
    }
}

/// Returns a clone that is not ready: a `poll_ready` is valid for one `call` of one service.
impl<S: Clone, G, T> Clone for OAuth2<S, G, T> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.shared.clone())
    }
}

impl<S: fmt::Debug, G, T> fmt::Debug for OAuth2<S, G, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2")
            .field("inner", &self.inner)
            .field("grant", &std::any::type_name::<G>())
            .field("tokens", &self.tokens())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DPoP costs a service with Bearer tokens nothing: what it needs is in the cell, and in the future of a request.
    #[test]
    fn the_service_holds_its_state_its_readiness_and_a_header_only() {
        type Fields<S> = (S, Arc<()>, Option<Box<()>>, usize, bool, CachedHeader);
        assert_eq!(size_of::<OAuth2<(), ()>>(), size_of::<Fields<()>>());
        assert_eq!(size_of::<OAuth2<[u64; 9], ()>>(), size_of::<Fields<[u64; 9]>>());
    }
}
