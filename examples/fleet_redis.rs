//! Four machines that share one login through Redis: one of them renews, and all have the new token.
//!
//! ```text
//! redis-server --port 6390 --save ''
//! cargo run --example fleet_redis --features redis-store -- redis://127.0.0.1:6390
//! ```
//!
//! Without an address it uses the server at 127.0.0.1:6379, or starts one if `redis-server` is there. The refresh tokens rotate:
//! if two members ever used the same one, the login would end for all. The authorization server and the API run inside the
//! program. The members are tasks here, but share nothing except what is in Redis; those of a real fleet are processes.

mod support;

use std::{
    collections::HashSet,
    env, fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Settings, check};
use tokio::{task::JoinSet, time::sleep};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{
    OAuth2Layer,
    client::Client,
    grant::{Persisted, RefreshToken},
    store::{RedisStore, TokenStore as _},
};

const MEMBERS: usize = 4;
const LIFETIME: Duration = Duration::from_secs(2);
const RUN: Duration = Duration::from_secs(8);

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let Some((url, _own)) = redis().await? else {
        println!(
            "NOT RUN: there is no Redis. Debian has it in `redis-server`, Homebrew in `redis`; any Valkey does too."
        );
        return Ok(());
    };
    let server = AuthServer::start(Settings::default().lifetime(LIFETIME).refresh_tokens()).await?;
    let api = Api::start(&server).await?;
    let (_, saved) = server.log_in_elsewhere("app");

    println!("{MEMBERS} members call the API for {} s; a token lives for {} s.", RUN.as_secs(), LIFETIME.as_secs());
    let mut fleet = JoinSet::new();
    for number in 1..=MEMBERS {
        fleet.spawn(member(number, grant(&server, &saved, &url)?, api.origin(), api.url("/orders")));
    }
    let mut seen = HashSet::new();
    let mut requests = 0;
    while let Some(member) = fleet.join_next().await {
        let (sent, tokens) = member??;
        requests += sent;
        seen.extend(tokens);
    }

    let calls = server.token_calls();
    println!("{requests} requests, all accepted; {calls} token calls for the whole fleet.");
    check(api.refused() == 0, "no request came with an ended token")?;
    // One that comes at the very end serves nobody who still asks.
    check((seen.len()..=seen.len() + 1).contains(&calls), "each token call served all members")?;
    // A token is renewed when up to 60 % of its lifetime are left.
    let most = 1 + RUN.as_millis() / (LIFETIME.as_millis() * 4 / 10);
    check((3..=most).contains(&(calls as u128)), "one member renews, whatever their number")?;

    // What the example has written goes with it.
    Ok(grant(&server, &saved, &url)?.clear().await?)
}

/// All that a member of a fleet has to know: the login, and where the tokens are.
fn grant(server: &AuthServer, saved: &str, url: &str) -> Result<Persisted<RefreshToken, RedisStore>, BoxError> {
    // In a real fleet the key is a secret of all members.
    let store = RedisStore::new(url)?.prefix("tower-oauth2-example:").encrypted([7; 32]);
    let grant = RefreshToken::new(server.token_url(), Client::public("app"), saved)?;
    Ok(grant.persisted(store).on_store_error(|error| eprintln!("the token store: {error}")))
}

/// Sends requests for a while. Returns their number, and the tokens that this member had.
async fn member(
    number: usize,
    grant: Persisted<RefreshToken, RedisStore>,
    origin: String,
    url: String,
) -> Result<(usize, HashSet<String>), BoxError> {
    let oauth = OAuth2Layer::new(grant).origin(origin)?;
    let tokens = oauth.tokens();
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut client = ServiceBuilder::new().layer(oauth).service(http);
    let (mut sent, mut had) = (0, HashSet::new());
    let began = Instant::now();
    while began.elapsed() < RUN {
        let request = Request::get(&url).body(Full::default())?;
        let status = client.ready().await?.call(request).await?.status();
        check(status == 200, "the token was good")?;
        sent += 1;
        let token = tokens.peek().ok_or("there is a token")?.access_token().to_owned();
        if had.insert(token.clone()) {
            println!("  {:>4.1} s  member {number} has token {}", began.elapsed().as_secs_f32(), &token[..6]);
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok((sent, had))
}

// ===== a Redis to talk to =====

/// One that ends with the example.
struct Own {
    process: Child,
    folder: PathBuf,
}

async fn redis() -> Result<Option<(String, Option<Own>)>, BoxError> {
    // Compiled into a test, its arguments are the test's.
    if let Some(url) = env::args().nth(1).filter(|argument| !cfg!(test) && argument.contains("://")) {
        return Ok(Some((url, None)));
    }
    let usual = "redis://127.0.0.1:6379".to_owned();
    if answers(&usual).await? {
        return Ok(Some((usual, None)));
    }
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let folder = env::temp_dir().join(format!("fleet-redis-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let port_text = port.to_string();
    let started = Command::new("redis-server")
        .args(["--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
        .arg(&folder)
        .stdout(Stdio::null())
        .spawn();
    let Ok(process) = started else {
        fs::remove_dir_all(&folder)?;
        return Ok(None);
    };
    let own = Own { process, folder };
    let url = format!("redis://127.0.0.1:{port}");
    for _ in 0..100 {
        if answers(&url).await? {
            return Ok(Some((url, Some(own))));
        }
        sleep(Duration::from_millis(50)).await;
    }
    Err("redis-server was started, and does not answer".into())
}

async fn answers(url: &str) -> Result<bool, BoxError> {
    Ok(RedisStore::new(url)?.load(&tower_oauth2::store::Key::new("is", "anybody there")).await.is_ok())
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
