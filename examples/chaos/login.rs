//! One login with all that belongs to it: two servers, a layer, and the callers that share its token.

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
    attempt::{Client, Place},
    caller::Caller,
    ledger::Ledger,
    run::Run,
    token_calls::{DEADLINE, FIRST_BACKOFF, LONGEST_BACKOFF, TokenCalls},
    token_server::TokenServer,
    witness::Witness,
};

pub(crate) struct Login {
    place: Arc<Place>,
    pub(crate) calls: Arc<TokenCalls>,
    pub(crate) server: Arc<TokenServer>,
    layer: OAuth2Layer<RefreshToken>,
    /// Whether its API revokes tokens.
    revokes: bool,
}

/// The places, where there are not enough for all.
const PERMITS: usize = 8;

impl Login {
    /// The logins differ in three ways, so eight of them are all there are. Where no token is revoked they live to their end.
    pub(crate) async fn start(run: &Arc<Run>, number: u64, dice: &mut Rng) -> Result<Self, BoxError> {
        let is_crowded = number & 2 == 0;
        let ledger = Arc::new(Ledger::new(run.clone(), number & 4 == 0));
        let calls = TokenCalls::new(run.clone(), ledger.clone());
        let (server, token_address) = TokenServer::start(run.clone(), ledger.clone(), dice.fork()).await?;
        let api = format!("http://{}", ApiServer::start(run.clone(), ledger.clone()).await?);

        let grant =
            RefreshToken::new(format!("http://{token_address}/token"), client::Client::public("app"), "refresh-0")?;
        let layer =
            OAuth2Layer::new(grant).origin(&*api)?.token_deadline(DEADLINE)?.backoff(FIRST_BACKOFF, LONGEST_BACKOFF)?;
        let place = Place { run: run.clone(), ledger, tokens: layer.tokens(), api, is_crowded };
        let place = Arc::new(place);
        Ok(Self { place, calls, server, layer, revokes: number & 1 == 0 })
    }

    pub(crate) fn callers(&self, how_many: u64, dice: &mut Rng) -> Vec<Caller> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        let http = legacy::Client::builder(TokioExecutor::new()).build(http);
        let mut http = Client::new(ServiceBuilder::new().map_err(BoxError::from).service(http));
        if self.place.is_crowded {
            http = Client::new(ConcurrencyLimit::new(http, PERMITS));
        }
        let http = Witness::new(http, &self.place, self.calls.clone());
        let plain = ServiceBuilder::new().layer(self.layer.clone()).service(http.clone());
        let retrying = ServiceBuilder::new().retry(RetryUnauthorized::new()).layer(self.layer.clone()).service(http);
        let caller = |number| {
            let client = if number % 2 == 0 { Client::new(plain.clone()) } else { Client::new(retrying.clone()) };
            Caller { place: self.place.clone(), client, dice: dice.fork(), revokes: self.revokes }
        };
        (0..how_many).map(caller).collect()
    }

    /// Waits for a token call that is still under way when the last caller has gone.
    pub(crate) async fn come_to_rest(&self) -> io::Result<()> {
        for _ in 0..200 {
            if self.calls.in_the_air() == 0 {
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err(io::Error::other("a token call has no end"))
    }
}
