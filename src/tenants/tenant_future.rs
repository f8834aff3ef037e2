//! Implements the response future of a request with the token of a tenant.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::tenant::Tenant;
use crate::error::{BoxError, Error};
use crate::future::ResponseFuture;

pin_project! {
    /// The response future that a [`Tenants`](super::Tenants) service returns.
    ///
    /// It completes like the [`ResponseFuture`](crate::future::ResponseFuture) of a service with one token. The token cell of the key is kept
    /// until it completes.
    ///
    /// # Errors
    ///
    /// The error of the inner service; or an [`Error`](crate::Error) in the box if the request was not sent.
    ///
    /// # Cancel safety
    ///
    /// Dropping it cancels the request, like dropping the future of the inner service. A token request that it waits for continues.
    pub struct TenantFuture<F, S, B> {
        #[pin]
        response: ResponseFuture<F, S, B>,
        // `None` without a key, and after the response.
        tenant: Option<Arc<Tenant>>,
    }
}

impl<F, S, B> TenantFuture<F, S, B> {
    #[inline]
    pub(super) fn new(response: ResponseFuture<F, S, B>, tenant: Arc<Tenant>) -> Self {
        Self { response, tenant: Some(tenant) }
    }

    /// Creates the future of a request that has no cell.
    pub(super) fn failed(error: Error, request: &Request<B>) -> Self {
        Self { response: ResponseFuture::failed(error, request), tenant: None }
    }
}

impl<F, S, B, R> Future for TenantFuture<F, S, B>
where
    S: Service<Request<B>, Response = Response<R>, Future = F> + Clone,
    S::Error: Into<BoxError>,
    F: Future<Output = Result<Response<R>, S::Error>>,
{
    type Output = Result<Response<R>, BoxError>;

    // Always inlined, which saves a move of the response.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.response.poll(cx);
        if polled.is_ready() {
            *this.tenant = None;
        }
        polled
    }
}

impl<F, S, B> fmt::Debug for TenantFuture<F, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantFuture").finish_non_exhaustive()
    }
}
