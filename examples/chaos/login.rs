//! One login: two servers, a layer, and the callers that share its token.

use std::{io, sync::Arc, time::Duration};

use fastrand::Rng;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::sleep;
use tower::{BoxError, ServiceBuilder, limit::ConcurrencyLimit};
use tower_oauth2::{OAuth2Layer, client, grant::RefreshToken, retry::RetryUnauthorized};

use super::{
    api_server::ApiServer,
    caller::Caller,
    ledger::Ledger,
    login_key,
    monitor::Monitor,
    proof_check::ProofCheck,
    request::{Client, LoginContext},
    run::Run,
    token_requests::{INITIAL_BACKOFF, MAX_BACKOFF, TOKEN_TIMEOUT, TokenRequests},
    token_server::TokenServer,
};

pub(crate) struct Login {
    context: Arc<LoginContext>,
    pub(crate) token_requests: Arc<TokenRequests>,
    pub(crate) server: Arc<TokenServer>,
    layer: OAuth2Layer<RefreshToken>,
    /// Whether its callers make the API revoke tokens.
    revokes: bool,
}

/// The concurrency limit of the logins that have one.
const MAX_CONCURRENT_REQUESTS: usize = 8;

impl Login {
    /// The logins differ in four properties, so sixteen of them cover all combinations. Half of the keys are in memory.
    pub(crate) async fn start(run: &Arc<Run>, number: u64, rng: &mut Rng) -> Result<Self, BoxError> {
        let has_concurrency_limit = number & 2 == 0;
        let ledger = Arc::new(Ledger::new(run.clone(), number & 4 == 0));
        let dpop = match (number & 8 != 0, (number & 7).count_ones() % 2) {
            (false, _) => None,
            (true, 0) => Some(login_key::in_memory(rng.fork())?),
            (true, _) => Some(login_key::remote(rng.fork())?),
        };
        let proofs = dpop.as_ref().map(|dpop| Arc::new(ProofCheck::new(dpop.thumbprint())));
        let token_requests = TokenRequests::new(run.clone(), ledger.clone());
        let (server, token_address) =
            TokenServer::start(run.clone(), ledger.clone(), proofs.clone(), rng.fork()).await?;
        let api = format!("http://{}", ApiServer::start(run.clone(), ledger.clone(), proofs).await?);

        let grant =
            RefreshToken::new(format!("http://{token_address}/token"), client::Client::public("app"), "refresh-0")?;
        let grant = match dpop {
            Some(dpop) => grant.dpop(dpop),
            None => grant,
        };
        let layer = OAuth2Layer::new(grant)
            .origin(&*api)?
            .token_timeout(TOKEN_TIMEOUT)?
            .backoff(INITIAL_BACKOFF, MAX_BACKOFF)?;
        let context = LoginContext {
            run: run.clone(),
            ledger,
            token_requests: token_requests.clone(),
            tokens: layer.tokens(),
            api,
            has_concurrency_limit,
        };
        let context = Arc::new(context);
        Ok(Self { context, token_requests, server, layer, revokes: number & 1 == 0 })
    }

    pub(crate) fn callers(&self, count: u64, rng: &mut Rng) -> Vec<Caller> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        let http = legacy::Client::builder(TokioExecutor::new()).build(http);
        let mut http = Client::new(ServiceBuilder::new().map_err(BoxError::from).service(http));
        if self.context.has_concurrency_limit {
            http = Client::new(ConcurrencyLimit::new(http, MAX_CONCURRENT_REQUESTS));
        }
        let http = Monitor::new(http, &self.context, self.token_requests.clone());
        let plain = ServiceBuilder::new().layer(self.layer.clone()).service(http.clone());
        let retrying = ServiceBuilder::new().retry(RetryUnauthorized::new()).layer(self.layer.clone()).service(http);
        let caller = |number| {
            let client = if number % 2 == 0 { Client::new(plain.clone()) } else { Client::new(retrying.clone()) };
            Caller { context: self.context.clone(), client, rng: rng.fork(), revokes: self.revokes }
        };
        (0..count).map(caller).collect()
    }

    /// Waits for a token request that is still in flight when the last caller has ended.
    pub(crate) async fn wait_until_idle(&self) -> io::Result<()> {
        for _ in 0..200 {
            if self.token_requests.in_flight() == 0 {
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err(io::Error::other("a token request does not end"))
    }
}
