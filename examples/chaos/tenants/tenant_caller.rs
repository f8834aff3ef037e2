//! A caller: each of its requests is for another tenant. At times it drops a request, forgets a tenant, or holds a handle.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use fastrand::Rng;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::time::timeout;
use tower::{BoxError, ServiceExt};
use tower_oauth2::{Error, Tokens};

use super::{
    super::{
        behavior::ApiBehavior,
        promises::Promise,
        request::{Client, Outcome},
        tally::Part,
    },
    FREQUENT_TENANTS, TENANTS, Tenant, TenantsContext,
    tenant_monitor::LastToken,
    tenant_server::parse_token,
};

/// Longer than any request here may take.
const HANG_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct TenantCaller {
    context: Arc<TenantsContext>,
    client: Client,
    rng: Rng,
}

impl TenantCaller {
    pub(super) fn new(context: Arc<TenantsContext>, client: Client, rng: Rng) -> Self {
        Self { context, client, rng }
    }

    pub(super) async fn send(mut self, requests: u64) {
        for _ in 0..requests {
            if self.context.run.is_aborted() {
                return;
            }
            self.send_one().await;
        }
    }

    async fn send_one(&mut self) {
        let frequent = self.rng.bool();
        let tenant = Tenant(self.rng.u64(0..if frequent { FREQUENT_TENANTS } else { TENANTS }));
        self.context.begun.fetch_add(1, Ordering::SeqCst);
        self.context.max_cells.fetch_max(self.context.layer.len() as u64, Ordering::SeqCst);
        if tenant.is_forgotten() && self.rng.u8(0..50) == 0 {
            self.context.forgotten.fetch_add(1, Ordering::SeqCst);
            self.context.layer.forget(&tenant);
        }
        let handle = (self.rng.u8(0..100) == 0).then(|| self.context.layer.tokens(&tenant).ok()).flatten();
        let outcome = timeout(HANG_TIMEOUT, self.request(tenant, handle)).await.unwrap_or(Outcome::TimedOut);
        self.context.run.tally.count(Part::Tenants, outcome.name());
        if matches!(outcome, Outcome::TimedOut) {
            self.context.run.broken(Promise::EveryRequestEnds, format!("{tenant:?}"));
        }
    }

    /// Sends the request, and drops some after a few polls or milliseconds.
    async fn request(&mut self, tenant: Tenant, handle: Option<Tokens>) -> Outcome {
        let mut api = match self.rng.u16(0..1_000) {
            0..700 => ApiBehavior::Respond,
            700..950 => ApiBehavior::RespondAfter(self.rng.u64(1..5)),
            950..960 => ApiBehavior::Unavailable,
            960..965 => ApiBehavior::CutBody,
            965..970 => ApiBehavior::Reset,
            970.. => ApiBehavior::Revoke,
        };
        let (drops, polls, millis) = (self.rng.u8(0..100), self.rng.u8(1..4), self.rng.u64(0..15));
        if drops < 1 {
            api = ApiBehavior::Stall;
        }
        let sent = send_request(&self.context, self.client.clone(), tenant, api, handle);
        match drops {
            0..5 => timeout(Duration::from_millis(millis), sent).await.unwrap_or(Outcome::Cancelled("timed out")),
            5..12 => {
                let (mut sent, mut polls) = (pin!(sent), polls);
                poll_fn(|cx| match sent.as_mut().poll(cx) {
                    Poll::Pending if polls == 1 => Poll::Ready(Outcome::Cancelled("dropped after a few polls")),
                    Poll::Pending => {
                        polls -= 1;
                        Poll::Pending
                    }
                    ended => ended,
                })
                .await
            }
            _ => sent.await,
        }
    }
}

async fn send_request(
    context: &TenantsContext,
    client: Client,
    tenant: Tenant,
    api: ApiBehavior,
    handle: Option<Tokens>,
) -> Outcome {
    let url = format!("{}/{}{}", context.servers, tenant.0, api.path());
    let Ok(mut request) = Request::get(url).body(Full::default()) else { return Outcome::Broken("no request") };
    request.extensions_mut().insert(tenant);
    request.extensions_mut().insert(LastToken::default());
    let response = match client.oneshot(request).await {
        Ok(response) => response,
        Err(error) => return failed(&error),
    };
    let status = response.status().as_u16();
    let Ok(body) = response.into_body().collect().await else { return Outcome::Broken("truncated response") };
    if status == 200 {
        check_response(context, tenant, &String::from_utf8_lossy(&body.to_bytes()), handle.as_ref());
    }
    Outcome::Response(status)
}

/// Checks the keys in the response, and the handle that the caller held.
fn check_response(context: &TenantsContext, Tenant(tenant): Tenant, body: &str, handle: Option<&Tokens>) {
    let answered = body.split_once(' ').and_then(|(key, token)| Some((key.parse::<u64>().ok()?, parse_token(token)?)));
    let Some((_, (_, number))) = answered.filter(|(key, (owner, _))| (*key, *owner) == (tenant, tenant)) else {
        return context.run.broken(Promise::TenantsAreNotMixedUp, format!("tenant {tenant} received `{body}`"));
    };
    let Some(newest) = handle.and_then(Tokens::peek) else { return };
    // While the handle exists, its cell is the one of the layer.
    let is_newest =
        parse_token(newest.access_token()).is_some_and(|(owner, newest)| owner == tenant && newest >= number);
    if !is_newest && !Tenant(tenant).is_forgotten() {
        context.run.broken(Promise::TenantsAreNotMixedUp, format!("a handle of tenant {tenant} had another token"));
    }
}

fn failed(error: &BoxError) -> Outcome {
    match error.downcast_ref::<Error>() {
        Some(error) => Outcome::NoToken(error.kind()),
        None => Outcome::Broken("the connection to the API broke"),
    }
}
