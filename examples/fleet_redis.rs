//! Four processes share one login through Redis: one of them refreshes, and all use the new token.
//!
//! ```text
//! redis-server --port 6390 --save ''
//! cargo run --example fleet_redis --features redis-store -- redis://127.0.0.1:6390
//! ```
//!
//! Without an address it uses the server at 127.0.0.1:6379, or starts one if `redis-server` is installed. The refresh tokens
//! rotate: if two members used the same one, the login would end for all. The authorization server and the API run inside the
//! program. The members are tasks here, but share no state except the entry in Redis; in a real fleet they are processes.

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
            "NOT RUN: no Redis was found. Install the Debian package `redis-server`, the Homebrew formula `redis`, or Valkey."
        );
        return Ok(());
    };
    let server = AuthServer::start(Settings::default().lifetime(LIFETIME).refresh_tokens()).await?;
    let api = Api::start(&server).await?;
    let (_, saved) = server.log_in_elsewhere("app");

    println!("{MEMBERS} members call the API for {} s; the token lifetime is {} s.", RUN.as_secs(), LIFETIME.as_secs());
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

    let counts = server.token_requests();
    println!("{requests} requests, all accepted; {counts} token requests for the whole fleet.");
    check(api.rejected() == 0, "no request carried an expired token")?;
    // A token of the last moment may not be used by any request.
    check((seen.len()..=seen.len() + 1).contains(&counts), "each token request was for all members")?;
    // A token is refreshed when up to 60 % of its lifetime are left.
    let max = 1 + RUN.as_millis() / (LIFETIME.as_millis() * 4 / 10);
    check((3..=max).contains(&(counts as u128)), "one member refreshes, whatever their number")?;

    // Removes what the example has written.
    Ok(grant(&server, &saved, &url)?.clear().await?)
}

/// The configuration of a member: the login, and the store of the tokens.
fn grant(server: &AuthServer, saved: &str, url: &str) -> Result<Persisted<RefreshToken, RedisStore>, BoxError> {
    // In a real fleet the key is a secret that all members share.
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
    let (mut sent, mut seen) = (0, HashSet::new());
    let start = Instant::now();
    while start.elapsed() < RUN {
        let request = Request::get(&url).body(Full::default())?;
        let status = client.ready().await?.call(request).await?.status();
        check(status == 200, "the token was valid")?;
        sent += 1;
        let token = tokens.peek().ok_or("no token")?.access_token().to_owned();
        if seen.insert(token.clone()) {
            println!("  {:>4.1} s  member {number} has token {}", start.elapsed().as_secs_f32(), &token[..6]);
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok((sent, seen))
}

// ===== Redis =====

/// A Redis process that ends with the example.
struct LocalServer {
    process: Child,
    folder: PathBuf,
}

async fn redis() -> Result<Option<(String, Option<LocalServer>)>, BoxError> {
    // Compiled as a test, the program gets other arguments.
    if let Some(url) = env::args().nth(1).filter(|argument| !cfg!(test) && argument.contains("://")) {
        return Ok(Some((url, None)));
    }
    let default_url = "redis://127.0.0.1:6379".to_owned();
    if is_reachable(&default_url).await? {
        return Ok(Some((default_url, None)));
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
    let local_server = LocalServer { process, folder };
    let url = format!("redis://127.0.0.1:{port}");
    for _ in 0..100 {
        if is_reachable(&url).await? {
            return Ok(Some((url, Some(local_server))));
        }
        sleep(Duration::from_millis(50)).await;
    }
    Err("redis-server was started, but does not respond".into())
}

async fn is_reachable(url: &str) -> Result<bool, BoxError> {
    Ok(RedisStore::new(url)?
        .load(&tower_oauth2::store::Key::new("https://auth.example.com/token", "ping"))
        .await
        .is_ok())
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
