//! A workload without a secret: its platform writes a token into a file, and replaces it while requests run.
//!
//! ```text
//! cargo run --example workload_identity --features jwt,file-source
//! ```
//!
//! Kubernetes mounts the token as a volume, and replaces it by changing a symbolic link. The client reads the file for each token request,
//! so it never sends an expired token. Clients that read the file once fail after an hour.
//!
//! Nothing else is needed. The platform, the authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use std::{env, fs, io, path::PathBuf, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Settings, check};
use tokio::time::{Instant, sleep};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{
    OAuth2Layer,
    client::Client,
    grant::ClientCredentials,
    jwt::{Claims, Key},
};

const PLATFORM: &str = "https://platform.example";
const WORKLOAD: &str = "robot";
/// The lifetime of access tokens and of the platform's tokens.
const LIFETIME: Duration = Duration::from_secs(1);

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().lifetime(LIFETIME)).await?;
    let api = Api::start(&server).await?;
    let platform = Platform::new(&server)?;
    platform.replace_token(0).await?;

    let client = Client::assertion_file(WORKLOAD, platform.token_path());
    let oauth = OAuth2Layer::new(ClientCredentials::new(server.token_url(), client)?).origin(api.origin())?;
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut client = ServiceBuilder::new().layer(oauth).service(http);

    // The platform replaces the token well before it expires.
    let began = Instant::now();
    let (mut requests, mut versions) = (0, 0);
    while began.elapsed() < 4 * LIFETIME {
        if began.elapsed() > LIFETIME * (versions + 1) / 2 {
            versions += 1;
            platform.replace_token(versions).await?;
        }
        let request = Request::get(api.url("/orders")).body(Full::default())?;
        let status = client.ready().await?.call(request).await?.status();
        check(status == 200, "each request has a valid token")?;
        requests += 1;
        sleep(LIFETIME / 100).await;
    }
    println!("{requests} requests, {} token requests, {versions} new tokens of the platform", server.token_requests());
    check(server.token_requests() >= 3 && versions >= 6, "the token was replaced while requests ran")
}

/// Issues tokens to workloads, as Kubernetes does.
struct Platform {
    claims: Claims,
    volume: PathBuf,
}

impl Platform {
    fn new(server: &AuthServer) -> Result<Self, BoxError> {
        let key = Key::generate()?;
        // The server accepts assertions of this platform, by a configuration of its administrator.
        server.assertions().register(PLATFORM, &key.to_public_jwk());
        let claims = Claims::signed_by(key).issuer(PLATFORM).subject(WORKLOAD).audience(server.issuer());
        let volume = env::temp_dir().join(format!("workload_identity-{}", std::process::id()));
        fs::create_dir_all(&volume)?;
        Ok(Self { claims: claims.lifetime(2 * LIFETIME), volume })
    }

    fn token_path(&self) -> PathBuf {
        self.volume.join("token")
    }

    /// Writes a new token into a new directory, and changes the link to the directory in one step.
    #[cfg(unix)]
    async fn replace_token(&self, version: u32) -> Result<(), BoxError> {
        use std::os::unix::fs::symlink;

        let token = self.claims.sign().await?;
        let directory = self.volume.join(format!("..{version}"));
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("token"), token)?;
        let (data, next) = (self.volume.join("..data"), self.volume.join("..next"));
        symlink(&directory, &next)?;
        fs::rename(&next, &data)?;
        match symlink("..data/token", self.token_path()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
            _ => Ok(()),
        }
    }

    #[cfg(not(unix))]
    async fn replace_token(&self, _version: u32) -> Result<(), BoxError> {
        let next = self.volume.join("next");
        fs::write(&next, self.claims.sign().await?)?;
        Ok(fs::rename(next, self.token_path())?)
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _: io::Result<()> = fs::remove_dir_all(&self.volume);
    }
}
