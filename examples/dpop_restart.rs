//! A login that is bound to a key and survives a restart: the key in one file, the login in another (DPoP, RFC 9449).
//!
//! ```text
//! cargo run --example dpop_restart --features file-store,jwt
//! ```
//!
//! starts a program several times. The first start creates the key and logs the user in. The next starts need no login: they read both. A start
//! with another key does, because the login is bound to the first one.
//!
//! On a terminal, you log in, as `alice` with any password. Without a terminal, or with `TOWER_OAUTH2_UNATTENDED=1`, the program
//! simulates the user.
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Choice, Person, Settings, check, is_attended};
use tokio::{runtime::Runtime, task::spawn_blocking};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, retry::RetryLayer};
use tower_oauth2::{
    OAuth2Layer,
    client::Client,
    dpop::Dpop,
    grant::{DeviceCode, DevicePrompt},
    jwt::Key,
    retry::RetryUnauthorized,
    store::FileStore,
};

/// The program. It has nothing in memory when it starts.
#[derive(Clone)]
struct Program {
    device_authorization_url: String,
    token_url: String,
    api: String,
    dir: PathBuf,
    /// Counts the logins, for this example.
    logins: Arc<AtomicUsize>,
}

impl Program {
    /// Runs the program like a separate process: when it returns, its runtime has shut down, and nothing is left in memory.
    async fn start(&self) -> Result<(), BoxError> {
        let program = self.clone();
        spawn_blocking(move || Runtime::new()?.block_on(program.call())).await?
    }

    /// Sends one request to the API.
    async fn call(self) -> Result<(), BoxError> {
        let dpop = Dpop::new(load_or_create(&self.dir.join("key.pem"))?);
        println!("started with the key {}", dpop.thumbprint());
        let logins = self.logins.clone();
        let prompt = move |prompt: &DevicePrompt| {
            logins.fetch_add(1, Ordering::SeqCst);
            log_in(prompt);
        };
        let grant = DeviceCode::new(self.device_authorization_url, self.token_url, Client::public("app"), prompt)?
            .scope("orders")?
            .dpop(dpop)
            // The thumbprint of the key is part of the entry's name.
            .persisted(FileStore::new(self.dir.join("logins")));
        let oauth = OAuth2Layer::new(grant).origin(&*self.api)?;
        let tokens = oauth.tokens();
        let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let mut client =
            ServiceBuilder::new().layer(RetryLayer::new(RetryUnauthorized::new())).layer(oauth).service(http);
        let request = Request::get(format!("{}/orders", self.api)).body(Full::default())?;
        let response = client.ready().await?.call(request).await;
        // A refresh may be running in the background. It would be dropped at the end of the program, and the login would be lost.
        tokens.flush().await;
        let status = response?.status();
        println!("  response of the API: {status}");
        check(status == 200, "the API accepts the token and its proof")
    }
}

/// Reads the key, or creates it at the first start. Only its owner can read the file.
fn load_or_create(path: &Path) -> Result<Key, BoxError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut file) => {
            file.write_all(Key::generate_pem()?.as_bytes())?;
            // If the login were saved and the key were not, the login would be lost.
            file.sync_all()?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(format!("{}: {error}", path.display()).into()),
    }
    Ok(Key::from_pem(fs::read(path)?)?)
}

/// Prints where to log in.
fn log_in(prompt: &DevicePrompt) {
    println!("  open {} and enter {}", prompt.verification_uri(), prompt.user_code());
    if !is_attended() {
        let (uri, code) = (prompt.verification_uri().to_owned(), prompt.user_code().to_owned());
        tokio::spawn(async move {
            match Person::new().type_code(&uri, &code, Choice::Allow).await {
                Ok(page) => println!("  (alice's browser shows: {})", page.message()),
                Err(error) => println!("  (alice's browser fails: {error})"),
            }
        });
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().dpop().refresh_tokens()).await?;
    let api = Api::start(&server).await?;
    let dir = TempDir::new()?;
    let program = Program {
        device_authorization_url: server.device_authorization_url(),
        token_url: server.token_url(),
        api: api.origin(),
        dir: dir.0.clone(),
        logins: Arc::default(),
    };
    let logins = || program.logins.load(Ordering::SeqCst);
    let key = dir.0.join("key.pem");

    program.start().await?;
    check(logins() == 1, "the first start logs the user in")?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        check(fs::metadata(&key)?.permissions().mode() & 0o777 == 0o600, "only the owner can read the key")?;
    }

    let token_requests = server.token_requests();
    program.start().await?;
    check(logins() == 1 && server.token_requests() == token_requests, "the next start uses the token in the file")?;

    println!("(the server revokes all access tokens)");
    server.registry().revoke_access_tokens();
    program.start().await?;
    check(logins() == 1, "the refresh token is bound to the same key, so the token is refreshed without a login")?;
    check(server.token_requests() > token_requests, "the token was refreshed")?;

    println!("(another key)");
    let first = dir.0.join("first.pem");
    fs::rename(&key, &first)?;
    program.start().await?;
    check(logins() == 2, "a login that is bound to another key is not used")?;

    println!("(the first key again)");
    fs::rename(&first, &key)?;
    program.start().await?;
    check(logins() == 2, "the login of the first key is still in the store")
}

/// A directory that is removed on drop.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> io::Result<Self> {
        let dir = env::temp_dir().join(format!("tower-oauth2-dpop-restart-{}", process::id()));
        fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
