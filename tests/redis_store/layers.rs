//! Two layers share a login, as two processes do.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::store::TokenStore as _;
use tower_oauth2::{OAuth2Layer, Token, Tokens, client::Client};

use crate::server::Redis;
use crate::soon;
use crate::support::{AuthServer, Settings};

#[tokio::test]
async fn one_token_request_for_two() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    let (one, two) = (login.member(&redis), login.member(&redis));
    let (first, second) = soon(async { tokio::join!(one.get(), two.get()) }).await;
    assert_eq!(first.unwrap().access_token(), second.unwrap().access_token());
    assert_eq!(login.server.token_requests(), 1);
}

#[tokio::test]
async fn the_other_layer_adopts_a_new_token_without_a_token_request() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    let (one, two) = (login.member(&redis), login.member(&redis));
    one.get().await.unwrap();
    two.get().await.unwrap();
    let mut changes = two.changes();
    let refreshed = one.refresh().await.unwrap();
    let is_refreshed =
        |shown: &Option<Token>| shown.as_ref().is_some_and(|shown| shown.access_token() == refreshed.access_token());
    soon(changes.wait_for(is_refreshed)).await.unwrap();
    assert_eq!(two.peek().unwrap().access_token(), refreshed.access_token());
    assert_eq!(login.server.token_requests(), 2, "the first one and the requested refresh");
}

/// The refresh token rotates: using an old one would revoke the login.
#[tokio::test]
async fn a_login_survives_many_refreshes_and_a_paused_server() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    let (one, two) = (login.member(&redis), login.member(&redis));
    for round in 0..6 {
        let (first, second) = soon(async { tokio::join!(one.refresh(), two.refresh()) }).await;
        first.unwrap();
        second.unwrap();
        if round == 2 {
            redis.pause();
            assert!(soon(one.get()).await.is_ok(), "the token in memory is used");
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

/// A timeout of zero does not wait for a held lock, and takes a free one.
#[tokio::test]
async fn a_lock_timeout_of_zero_does_not_wait() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    let grant = login.grant().persisted(redis.store()).lock_timeout(Duration::ZERO);
    let tokens = OAuth2Layer::new(grant.clone()).token_service(http()).tokens();
    let lock = redis.store().lock(grant.key()).await.unwrap();
    let error = soon(tokens.refresh()).await.unwrap_err();
    assert!(error.to_string().contains("another process is refreshing this token"), "{error}");
    drop(lock);
    soon(redis.store().lock(grant.key())).await.map(drop).unwrap();
    // The lock is released in the background.
    soon(async { while tokens.refresh().await.is_err() {} }).await;
}

/// Redis loses the entry, and later another process logs out.
#[tokio::test]
async fn a_logout_is_final_and_a_loss_is_not() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    let (one, two) = (login.member(&redis), login.member(&redis));
    one.get().await.unwrap();
    two.get().await.unwrap();
    let () = redis.ask("FLUSHALL");
    soon(one.refresh()).await.unwrap();
    let newest = soon(two.refresh()).await.unwrap();
    let grant = login.grant().persisted(redis.store());
    assert_eq!(grant.load().await.unwrap().unwrap().access_token(), newest.access_token());

    grant.clear().await.unwrap();
    for tokens in [&one, &two] {
        let error = soon(tokens.refresh()).await.unwrap_err();
        assert_eq!(error.kind(), tower_oauth2::ErrorKind::LoginRequired);
    }
    assert_eq!(grant.load().await.unwrap(), None);
}

/// A wrong password is a permanent error.
#[tokio::test]
async fn requests_do_not_wait_after_a_wrong_password() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    let url = format!("redis://:wrong@127.0.0.1:{}", redis.port());
    let grant = login.grant().persisted(tower_oauth2::store::RedisStore::new(url).unwrap());
    let error = soon(OAuth2Layer::new(grant).token_service(http()).tokens().get()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (tower_oauth2::ErrorKind::Store, false), "{error:?}");
}

/// Redis loses the entry, and the user logs out before a process has saved it again.
#[tokio::test]
async fn a_logout_after_a_loss_is_final() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    let tokens = login.member(&redis);
    tokens.get().await.unwrap();
    let () = redis.ask("FLUSHALL");
    let grant = login.grant().persisted(redis.store());
    grant.clear().await.unwrap();
    let error = soon(tokens.refresh()).await.unwrap_err();
    assert_eq!(error.kind(), tower_oauth2::ErrorKind::LoginRequired);
    assert_eq!(grant.load().await.unwrap(), None);
}

/// A missing tokio runtime is a permanent error.
#[test]
fn without_a_runtime_the_error_is_immediate() {
    let Some(redis) = Redis::start() else { return };
    let key = crate::key();
    let grant = RefreshToken::stored("https://auth.example.com/token", Client::public("app")).unwrap();
    let grant = grant.persisted(redis.store());
    let mut loading = tokio_test::task::spawn(grant.load());
    let std::task::Poll::Ready(Err(error)) = loading.poll() else { panic!("it waits") };
    assert!(!error.is_transient(), "{error:?}");
    let store = redis.store();
    let mut locking = tokio_test::task::spawn(store.lock(&key));
    let std::task::Poll::Ready(Err(error)) = locking.poll() else { panic!("it waits") };
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}

/// The user of the server has no permission for the keys of the store.
#[tokio::test]
async fn missing_permissions_are_an_immediate_error() {
    let Some(redis) = Redis::start() else { return };
    let login = Login::start(Duration::from_secs(3600)).await;
    for (user, rules) in [
        ("nokeys", "~other:* &* +@all"),
        ("noeval", "~tower-oauth2:* &* +@all -eval"),
        ("noset", "~tower-oauth2:* &* +@all -set"),
        ("nofence", "~tower-oauth2:{*} ~tower-oauth2:*:lease &* +@all"),
        ("disabled", "off"),
    ] {
        let () = redis.ask(&format!("ACL SETUSER {user} on >pw {rules}"));
        let url = format!("redis://{user}:pw@127.0.0.1:{}", redis.port());
        let grant = login.grant().persisted(tower_oauth2::store::RedisStore::new(url).unwrap());
        let error = soon(OAuth2Layer::new(grant).token_service(http()).tokens().get()).await.unwrap_err();
        assert_eq!((error.kind(), error.is_transient()), (tower_oauth2::ErrorKind::Store, false), "{user}: {error:?}");
    }
}

/// The permissions that the documentation of the store lists are enough.
#[tokio::test]
async fn the_documented_permissions_are_enough() {
    let Some(redis) = Redis::start() else { return };
    let commands = "+eval +hmget +hget +hset +exists +get +set +del +incr +pexpire +persist +publish +subscribe +ping";
    let () = redis.ask(&format!("ACL SETUSER app on >pw ~tower-oauth2:* &tower-oauth2:changes {commands}"));
    let url = format!("redis://app:pw@127.0.0.1:{}", redis.port());
    let store = tower_oauth2::store::RedisStore::new(url).unwrap().time_to_live(Duration::from_secs(3600));
    let mut changes = store.changes(&crate::key()).unwrap();
    let mut lease = soon(store.lock(&crate::key())).await.unwrap();
    store.save(&crate::key(), &crate::entry(1), &mut lease).await.unwrap();
    soon(changes.wait_for(|shown| *shown == Some(crate::entry(1)))).await.unwrap();
    store.clear(&crate::key(), u64::MAX).await.unwrap();
    assert!(store.was_cleared(&crate::key()).await.unwrap());
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
