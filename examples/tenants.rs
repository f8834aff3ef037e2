//! One client for many users: each request has the token of its user.
//!
//! ```text
//! cargo run --example tenants --features tenants
//! ```
//!
//! `TenantsLayer` finds the token by a key in the extensions of the request. The logins of the users are in a store, so that at most
//! `max_tenants` of their tokens are in memory, and a token that was dropped is loaded again:
//!
//! ```text
//!  request ── User ──▶ Tenants ── token of that user ──▶ API
//!                         │
//!                         └── first request of a user ──▶ store ── expired ──▶ authorization server
//! ```
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy, client::legacy::connect::HttpConnector, rt::TokioExecutor};
use support::{Api, AuthServer, Settings, check};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{
    Error, ErrorKind, OAuth2Layer, Token,
    client::Client,
    grant::{Persisted, RefreshToken},
    store::MemoryStore,
    tenants::{Tenants, TenantsLayer},
};

type Http = legacy::Client<HttpConnector, Full<Bytes>>;

/// The key. There is no user without a name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum User {
    Alice,
    Bob,
    Carol,
}

const USERS: [User; 3] = [User::Alice, User::Bob, User::Carol];
const MAX_TENANTS: usize = 2;
/// The time that the authorization server needs for Carol.
const SLOW: Duration = Duration::from_secs(2);

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().refresh_tokens().latency_for("carol", SLOW)).await?;
    let api = Api::start(&server).await?;
    let http: Http = legacy::Client::builder(TokioExecutor::new()).build_http();

    // Another part of the program logs users in, and saves their logins. Use `RedisStore` if that is another process.
    let logins = Logins { token_url: server.token_url(), store: MemoryStore::new() };
    for user in USERS {
        let (access_token, refresh_token) = server.log_in_user_elsewhere(user.name(), "app");
        let expired = Token::bearer(access_token)?.with_refresh_token(refresh_token).with_expires_in(Duration::ZERO);
        logins.of(user)?.save(expired).await?;
    }

    let (origin, stored) = (api.origin(), logins.clone());
    let tenants = TenantsLayer::new(move |user: &User| OAuth2Layer::new(stored.of(*user)?).origin(&origin))
        .max_tenants(MAX_TENANTS)?;
    let client = ServiceBuilder::new().layer(tenants.clone()).service(http);
    let user_of = |user| user_of_token(client.clone(), api.url("/orders"), user);

    // The first request of each user refreshes the login of that user. Carol's takes long, and the others do not wait for it.
    let started = Instant::now();
    let slow = tokio::spawn(user_of_token(client.clone(), api.url("/orders"), User::Carol));
    for user in [User::Alice, User::Bob] {
        let owner = user_of(user).await?;
        println!("{:<5} the API has received a token of {owner}", user.name());
        check(owner == user.name(), "each request has the token of its user")?;
    }
    check(started.elapsed() < SLOW, "no request waits for the token of another user")?;
    let owner = slow.await??;
    println!("carol the API has received a token of {owner}, after {:.0?}", started.elapsed());
    check(owner == "carol" && started.elapsed() >= SLOW, "only the request of that user waits")?;
    check(server.token_requests() == 3, "each login is refreshed once")?;

    // A handle refers to the token of one user. While it exists, that token stays in memory.
    let alice = tenants.tokens(&User::Alice)?;
    let token = alice.get().await?;
    for user in [User::Bob, User::Carol, User::Bob, User::Carol] {
        check(user_of(user).await? == user.name(), "a token that was dropped is loaded from the store")?;
        // A cell in use is kept. This one is in use until a save that is running has ended.
        tenants.tokens(&user)?.flush().await;
    }
    println!("      {} of 3 tokens are in memory, and no login was refreshed again", tenants.len());
    check(tenants.len() <= MAX_TENANTS && server.token_requests() == 3, "memory is bounded")?;
    check(tenants.tokens(&User::Alice)?.peek() == Some(token), "the token of the handle has stayed")?;

    // Forgets what is in memory, for example because the configuration of a user has changed.
    drop(alice);
    tenants.forget(&User::Alice);
    check(user_of(User::Alice).await? == "alice", "the login is still in the store")?;

    // A logout also removes the login from the store.
    logins.of(User::Alice)?.clear().await?;
    tenants.forget(&User::Alice);
    let error = user_of(User::Alice).await.err().ok_or("a token after the logout")?;
    println!("alice after the logout: {error}");
    check(error.downcast_ref().map(Error::kind) == Some(ErrorKind::LoginRequired), "alice has to log in")?;
    check(user_of(User::Bob).await? == "bob", "the others stay logged in")
}

/// Sends a request for a user, and returns the user whose token the API has received.
async fn user_of_token(mut client: Tenants<Http, User>, url: String, user: User) -> Result<String, BoxError> {
    let mut request = Request::get(url).body(Full::default())?;
    request.extensions_mut().insert(user);
    let response = client.ready().await?.call(request).await?;
    let body = response.into_body().collect().await?.to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body)?;
    Ok(body["user"].as_str().ok_or("the API has received no token of a user")?.to_owned())
}

/// The logins of all users.
#[derive(Clone)]
struct Logins {
    token_url: String,
    store: MemoryStore,
}

impl Logins {
    /// Returns the grant of a user, which finds the login in the store under the name of the user.
    fn of(&self, user: User) -> Result<Persisted<RefreshToken, MemoryStore>, Error> {
        let grant = RefreshToken::stored(&*self.token_url, Client::public("app"))?;
        Ok(grant.persisted(self.store.clone()).subject(user.name()))
    }
}

impl User {
    fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Carol => "carol",
        }
    }
}
