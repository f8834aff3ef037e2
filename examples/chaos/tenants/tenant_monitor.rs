//! A service directly under the layer: it checks the token of each request, and counts the token requests of each tenant.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, header::AUTHORIZATION};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{BoxError, Service};

use super::{
    super::{promises::Promise, request::Client, run::Run},
    Tenant,
    tenant_server::{parse_token, tenant_of},
};

pub(super) struct TenantChecks {
    run: Arc<Run>,
    /// The token requests in flight, of each tenant.
    in_flight: Vec<AtomicU64>,
    token_requests: AtomicU64,
}

/// The number of the last token that a request was sent with, in its extensions.
#[derive(Clone, Default)]
pub(super) struct LastToken(Arc<AtomicU64>);

impl TenantChecks {
    pub(super) fn new(run: Arc<Run>, tenants: u64) -> Self {
        let in_flight = (0..tenants).map(|_| AtomicU64::new(0)).collect();
        Self { run, in_flight, token_requests: AtomicU64::new(0) }
    }

    pub(super) fn token_requests(&self) -> u64 {
        self.token_requests.load(Ordering::SeqCst)
    }

    /// Counts a token request until the returned value is dropped.
    fn token_request(self: &Arc<Self>, tenant: u64) -> TokenRequestInFlight {
        self.token_requests.fetch_add(1, Ordering::SeqCst);
        let before = self.in_flight[tenant as usize].fetch_add(1, Ordering::SeqCst);
        if before > 0 && !Tenant(tenant).is_forgotten() {
            self.run.broken(Promise::OneTokenRequestOfTenant, format!("tenant {tenant} had {} at once", before + 1));
        }
        TokenRequestInFlight { checks: self.clone(), tenant }
    }

    fn check<B>(&self, request: &Request<B>, tenant: u64) {
        let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let Some((owner, number)) = token.and_then(parse_token).filter(|(owner, _)| *owner == tenant) else {
            self.run.broken(Promise::TenantsAreNotMixedUp, format!("tenant {tenant} sent {token:?}"));
            return;
        };
        let Some(LastToken(last)) = request.extensions().get() else { return };
        let last = last.swap(number, Ordering::SeqCst);
        if number < last && !Tenant(owner).is_forgotten() {
            let what = format!("a request of tenant {tenant} was repeated with token {number} after {last}");
            self.run.broken(Promise::NoOlderTokenOfTenant, what);
        }
    }
}

struct TokenRequestInFlight {
    checks: Arc<TenantChecks>,
    tenant: u64,
}

impl Drop for TokenRequestInFlight {
    fn drop(&mut self) {
        self.checks.in_flight[self.tenant as usize].fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone)]
pub(super) struct TenantMonitor {
    pub(super) inner: Client,
    pub(super) checks: Arc<TenantChecks>,
}

impl Service<Request<Full<Bytes>>> for TenantMonitor {
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let token_request = match tenant_of(request.uri().path()) {
            Some((tenant, "/token")) => Some(self.checks.token_request(tenant)),
            Some((tenant, _)) => {
                self.checks.check(&request, tenant);
                None
            }
            None => None,
        };
        let response = self.inner.call(request);
        Box::pin(async move {
            let response = response.await;
            drop(token_request);
            response
        })
    }
}
