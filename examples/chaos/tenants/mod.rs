//! Two thousand tenants behind one layer that keeps the cells of two hundred. Every response repeats the key of its request and the key of
//! its token.

mod tenant_caller;
mod tenant_monitor;
mod tenant_server;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fastrand::Rng;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tenant_caller::TenantCaller;
use tenant_monitor::{TenantChecks, TenantMonitor};
use tenant_server::TenantServer;
use tokio::{task::JoinSet, time::sleep};
use tower::{BoxError, ServiceBuilder, limit::ConcurrencyLimit};
use tower_oauth2::{
    Error, ErrorKind, OAuth2Layer, client, grant::ClientCredentials, retry::RetryUnauthorized, route::ThroughService,
    tenants::TenantsLayer,
};

use super::{
    promises::Promise,
    request::Client,
    run::Run,
    tally::Part,
    token_requests::{INITIAL_BACKOFF, MAX_BACKOFF, TOKEN_TIMEOUT},
};

/// The key. The paths of the servers, the client and the tokens of a tenant contain its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tenant(u64);

const TENANTS: u64 = 2_000;
/// These get half of the requests.
const FREQUENT_TENANTS: u64 = 40;
const MAX_TENANTS: usize = 200;
const CALLERS: u64 = 128;
/// Fewer than there are callers. Token requests do not count.
const MAX_CONCURRENT_REQUESTS: usize = 96;

impl Tenant {
    /// Whether the callers forget this tenant at random. Then its removed cell can still have a token request in flight.
    pub(crate) fn is_forgotten(self) -> bool {
        self.0 % 4 == 3
    }

    /// Whether the application cannot make the grant of this tenant at times.
    fn fails(self) -> bool {
        self.0 % 16 == 9
    }
}

/// What the callers share.
pub(crate) struct TenantsContext {
    run: Arc<Run>,
    checks: Arc<TenantChecks>,
    layer: TenantsLayer<Tenant, ThroughService>,
    servers: String,
    begun: AtomicU64,
    /// The number of cells that were created.
    created: Arc<AtomicU64>,
    forgotten: AtomicU64,
    max_cells: AtomicU64,
}

/// The counters at the end.
pub(crate) struct TenantsSummary {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    pub(crate) lines: Vec<(&'static str, u64)>,
}

pub(crate) async fn run(run: &Arc<Run>, requests: u64, rng: &mut Rng) -> Result<TenantsSummary, BoxError> {
    let server = Arc::new(TenantServer::new(run.clone(), TENANTS + 1, rng.fork()));
    let servers = format!("http://{}", server.clone().listen().await?);
    let checks = Arc::new(TenantChecks::new(run.clone(), TENANTS + 1));
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    let http = legacy::Client::builder(TokioExecutor::new()).build(http);
    let http = Client::new(ServiceBuilder::new().map_err(BoxError::from).service(http));
    let http = TenantMonitor { inner: http, checks: checks.clone() };

    let created = Arc::new(AtomicU64::new(0));
    let layer = layer(&servers, &created)?.token_service(http.clone());
    let api = ConcurrencyLimit::new(http, MAX_CONCURRENT_REQUESTS);
    let plain = ServiceBuilder::new().layer(layer.clone()).service(api.clone());
    let retrying = ServiceBuilder::new().retry(RetryUnauthorized::new()).layer(layer.clone()).service(api);
    let context = Arc::new(TenantsContext {
        run: run.clone(),
        checks,
        layer,
        servers,
        begun: AtomicU64::new(0),
        created,
        forgotten: AtomicU64::new(0),
        max_cells: AtomicU64::new(0),
    });

    let start = Instant::now();
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let client = if number % 2 == 0 { Client::new(plain.clone()) } else { Client::new(retrying.clone()) };
        let share = requests / CALLERS + u64::from(number < requests % CALLERS);
        callers.spawn(TenantCaller::new(context.clone(), client, rng.fork()).send(share));
    }
    while let Some(ended) = callers.join_next().await {
        if let Err(panic) = ended {
            run.broken(Promise::EveryRequestHasOutcome, panic.to_string());
        }
    }
    let elapsed = start.elapsed();
    drop((plain, retrying));
    context.check_end().await?;
    Ok(context.summary(&server, elapsed))
}

fn layer(servers: &str, created: &Arc<AtomicU64>) -> Result<TenantsLayer<Tenant>, Error> {
    let (servers, created) = (servers.to_owned(), created.clone());
    let layer = TenantsLayer::new(move |tenant: &Tenant| {
        if tenant.fails() && fastrand::u8(0..3) == 0 {
            return Err(Error::caused_by(ErrorKind::Configuration, "the tenant's configuration cannot be read"));
        }
        created.fetch_add(1, Ordering::SeqCst);
        let client = client::Client::post(tenant.0.to_string(), "secret");
        let layer = OAuth2Layer::new(ClientCredentials::new(format!("{servers}/{}/token", tenant.0), client)?)
            .token_timeout(TOKEN_TIMEOUT)?
            .backoff(INITIAL_BACKOFF, MAX_BACKOFF)?;
        // Half of the tenants do not restrict their tokens to the origin.
        if tenant.0.is_multiple_of(2) { layer.origin(&*servers) } else { Ok(layer) }
    });
    layer.max_tenants(MAX_TENANTS)
}

impl TenantsContext {
    /// Checks the number of cells when none is in use any more. The next cell that is created restores the maximum.
    async fn check_end(&self) -> Result<(), BoxError> {
        for _ in 0..200 {
            drop(self.layer.tokens(&Tenant(TENANTS))?);
            if self.layer.len() <= MAX_TENANTS {
                return self.check_outcomes();
            }
            self.layer.forget(&Tenant(TENANTS));
            sleep(Duration::from_millis(10)).await;
        }
        let what = format!("{} cells when no request was left, and {MAX_TENANTS} at most", self.layer.len());
        self.run.broken(Promise::TenantsAreBounded, what);
        self.check_outcomes()
    }

    fn check_outcomes(&self) -> Result<(), BoxError> {
        let (begun, ended) = (self.begun.load(Ordering::SeqCst), self.run.tally.sum(Part::Tenants));
        if begun != ended {
            let what = format!("{begun} requests of tenants were started, and {ended} have ended");
            self.run.broken(Promise::EveryRequestHasOutcome, what);
        }
        Ok(())
    }

    fn summary(&self, server: &TenantServer, elapsed: Duration) -> TenantsSummary {
        let of = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        let (created, kept) = (of(&self.created), self.layer.len() as u64);
        let lines = vec![
            ("tenants", TENANTS),
            ("cells created", created),
            ("cells dropped", created - kept.min(created)),
            ("tenants forgotten", of(&self.forgotten)),
            ("cells at the end", kept),
            ("cells at most, including those in use", of(&self.max_cells)),
            ("token requests", self.checks.token_requests()),
            ("tenants with a revoked token", server.revoked()),
        ];
        TenantsSummary { requests: of(&self.begun), elapsed, lines }
    }
}
