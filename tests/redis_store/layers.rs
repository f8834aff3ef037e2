//! Two layers, as of two processes, over one login.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::store::TokenStore as _;
use tower_oauth2::{OAuth2Layer, Token, Tokens, client::Client};

use crate::comes;
use crate::server::Redis;
use crate::support::{AuthServer, Settings};

#[tokio::test]
async fn one_token_call_for_two() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    let (one, two) = (login.member(&redis), login.member(&redis));
    let (first, second) = comes(async { tokio::join!(one.get(), two.get()) }).await;
    assert_eq!(first.unwrap().access_token(), second.unwrap().access_token());
    assert_eq!(login.server.token_calls(), 1);
}

#[tokio::test]
async fn the_sibling_has_the_new_token_without_a_request() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    let (one, two) = (login.member(&redis), login.member(&redis));
    one.get().await.unwrap();
    two.get().await.unwrap();
    let mut changes = two.changes();
    let renewed = one.refresh().await.unwrap();
    let told =
        |shown: &Option<Token>| shown.as_ref().is_some_and(|shown| shown.access_token() == renewed.access_token());
    comes(changes.wait_for(told)).await.unwrap();
    assert_eq!(two.peek().unwrap().access_token(), renewed.access_token());
    assert_eq!(login.server.token_calls(), 2, "the first, and the one that was asked for");
}

/// The refresh token rotates: who spent an old one would end the login for all.
#[tokio::test]
async fn a_login_outlives_many_renewals_and_a_server_that_stands_still() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    let (one, two) = (login.member(&redis), login.member(&redis));
    for turn in 0..6 {
        let (first, second) = comes(async { tokio::join!(one.refresh(), two.refresh()) }).await;
        first.unwrap();
        second.unwrap();
        if turn == 2 {
            redis.pause();
            assert!(comes(one.get()).await.is_ok(), "what is in memory serves");
            redis.resume();
        }
    }
}

#[tokio::test]
async fn a_logout_reaches_the_store() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    let grant = login.grant().persisted(redis.store());
    let layer = OAuth2Layer::new(grant.clone()).token_service(http());
    layer.tokens().get().await.unwrap();
    assert!(redis.store().load(grant.key()).await.unwrap().is_some());
    grant.clear().await.unwrap();
    assert_eq!(redis.store().load(grant.key()).await.unwrap(), None);
}

struct Login {
    server: AuthServer,
    saved: String,
}

impl Login {
    async fn start(lifetime: Duration) -> Self {
        let server = AuthServer::start(Settings::default().lifetime(lifetime).refresh_tokens()).await.unwrap();
        let (_, saved) = server.log_in_elsewhere("app");
        Self { server, saved }
    }

    fn grant(&self) -> RefreshToken {
        RefreshToken::new(self.server.token_url(), Client::public("app"), &self.saved).unwrap()
    }

    fn member(&self, redis: &Redis) -> Tokens {
        let grant = self.grant().persisted(redis.store()).on_store_error(|error| println!("{error:?}"));
        OAuth2Layer::new(grant).token_service(http()).tokens()
    }
}

fn http() -> legacy::Client<legacy::connect::HttpConnector, Full<Bytes>> {
    legacy::Client::builder(TokioExecutor::new()).build_http()
}
