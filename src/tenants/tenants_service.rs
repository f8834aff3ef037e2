//! Implements the service, which finds the token cell of each request by its key.

use std::any::type_name;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::map::TenantMap;
use super::tenant::Tenant;
use super::tenant_future::TenantFuture;
use crate::authorize;
use crate::cell::{Freshness, ServiceTransport, is_in_grant};
use crate::error::{BoxError, Error, ErrorKind};
use crate::extensions::NewerThan;
use crate::future::ResponseFuture;
use crate::route::{ThroughInner, TokenRoute};
use crate::service::{Readiness, SlowCall};

/// A service that attaches the token of a tenant to each request. Created by [`TenantsLayer`](super::TenantsLayer).
///
/// The tenant is an extension of the request, of type `K`. `poll_ready` has no request and so no key: the service is ready when the inner
/// service is. A request without a fresh token releases the inner service, and waits in its response future. So a slow authorization server
/// of one tenant delays no other.
///
/// ```
/// use tower_oauth2::tenants::Tenants;
///
/// # struct HttpClient;
/// #[derive(Clone, PartialEq, Eq, Hash)]
/// struct Tenant(u64);
///
/// /// A client of an API. Its token requests are sent through `HttpClient`, too.
/// struct Api {
///     http: Tenants<HttpClient, Tenant>,
/// }
/// ```
///
/// # Errors
///
/// Errors of the inner service are returned unchanged. Errors of the layer are an [`Error`](crate::Error) in the box: downcast to it, and
/// match its [`kind`](crate::Error::kind). A request without a key fails with [`ErrorKind::Configuration`].
///
/// # Cancel safety
///
/// Dropping the response future of a request that waits for a token does not cancel the token request.
pub struct Tenants<S, K, T = ThroughInner> {
    inner: S,
    shared: Arc<SharedTenants<K, T>>,
}

/// Holds what the clones of a service share.
struct SharedTenants<K, T> {
    pub(super) map: Arc<TenantMap<K>>,
    pub(super) route: T,
    /// The transport for token requests of handles. The first `poll_ready` registers it.
    transport: ServiceTransport,
}

impl<S, K, T> Tenants<S, K, T> {
    pub(super) fn new(inner: S, map: Arc<TenantMap<K>>, route: T) -> Self {
        Self { inner, shared: Arc::new(SharedTenants { map, route, transport: ServiceTransport::default() }) }
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

impl<S, K, T, B, R> Service<Request<B>> for Tenants<S, K, T>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    K: Hash + Eq + Clone + Send + Sync + 'static,
    T: TokenRoute<S, B>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = TenantFuture<S::Future, S, B>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let shared = &*self.shared;
        shared.map.transports.register(&shared.transport, || shared.route.transport(&self.inner));
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    // Always inlined, which saves a move of the request. All other cases are in functions that are not inlined.
    #[inline(always)]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let tenant = match self.shared.find(&request) {
            Ok(tenant) => tenant,
            Err(error) => return self.fail(error, &request),
        };
        match tenant.attach(&mut request) {
            Ok(generation) => TenantFuture::new(ResponseFuture::sent(self.inner.call(request), generation), tenant),
            Err(freshness) => self.call_slow(tenant, freshness, request),
        }
    }
}

impl<S, K, T> Tenants<S, K, T> {
    /// Fails a request that has no cell.
    #[cold]
    #[inline(never)]
    fn fail<B>(&mut self, error: Error, request: &Request<B>) -> TenantFuture<S::Future, S, B>
    where
        S: Service<Request<B>> + Clone,
    {
        // Releases the permit or queue slot of the inner service.
        self.inner = self.inner.clone();
        TenantFuture::failed(error, request)
    }

    /// Handles a request without a fresh token, to another origin, or with its own `Authorization` header.
    #[inline(never)]
    fn call_slow<B>(
        &mut self,
        tenant: Arc<Tenant>,
        freshness: Freshness,
        request: Request<B>,
    ) -> TenantFuture<S::Future, S, B>
    where
        S: Service<Request<B>> + Clone,
        T: TokenRoute<S, B>,
    {
        let route = &self.shared.route;
        let transport = |inner: &S| tenant.own_transport.clone().unwrap_or_else(|| route.transport(inner));
        if freshness == Freshness::Due {
            tenant.cell.refresh_ahead(|| Some(transport(&self.inner)));
        }
        let call = SlowCall { inner: &mut self.inner, cell: &tenant.cell, policy: &tenant.policy, transport };
        TenantFuture::new(call.send(request, Readiness::Idle), tenant)
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static, T> SharedTenants<K, T> {
    #[inline]
    fn find<B>(&self, request: &Request<B>) -> Result<Arc<Tenant>, Error> {
        match request.extensions().get::<K>() {
            Some(key) => self.map.find_or_create(key),
            None if is_in_grant() => {
                let why = "a grant has sent a request without a tenant through a `TenantsLayer`";
                Err(Error::new(ErrorKind::Recursion, why))
            }
            None => Err(no_tenant::<K>()),
        }
    }
}

#[cold]
fn no_tenant<K>() -> Error {
    let key = type_name::<K>();
    Error::new(
        ErrorKind::Configuration,
        format!(
            "the request has no tenant: insert a `{key}` into its extensions, with `request.extensions_mut().insert(…)`"
        ),
    )
}

impl Tenant {
    /// Attaches a fresh token, and returns its generation. Otherwise the request is unchanged, and needs more checks.
    #[inline]
    fn attach<B>(&self, request: &mut Request<B>) -> Result<u64, Freshness> {
        let needs_checks =
            !self.fast_policy.should_authorize(request.uri()) || request.extensions().get::<NewerThan>().is_some();
        let attached = self.cell.with_fresh(|token| {
            if needs_checks {
                return None;
            }
            if authorize::append(request, token.header()) {
                authorize::remove_last(request);
                return None;
            }
            Some(token.generation)
        });
        attached?.ok_or(Freshness::Fresh)
    }
}

/// Returns a clone that is not ready: a `poll_ready` is valid for one `call` of one service.
impl<S: Clone, K, T> Clone for Tenants<S, K, T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: self.shared.clone() }
    }
}

/// Shows no keys, because they may be personal data.
impl<S: fmt::Debug, K, T> fmt::Debug for Tenants<S, K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenants").field("inner", &self.inner).finish_non_exhaustive()
    }
}
