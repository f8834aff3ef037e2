//! An authorization server, an API, and a layer.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tower::{BoxError, ServiceExt, util::BoxCloneService};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, client, grant::ClientCredentials};

use super::super::{
    connection::{self, Connection},
    token_server::number,
};

pub(crate) type Client = BoxCloneService<Request<Full<Bytes>>, Response<Incoming>, BoxError>;
pub(crate) type Layer = OAuth2Layer<ClientCredentials>;

/// The delay that a busy machine may add to a wait.
pub(crate) const TOLERANCE: Duration = Duration::from_millis(400);

/// Longer than anything here may take.
pub(crate) const HANG_TIMEOUT: Duration = Duration::from_secs(10);

/// How the authorization server responds to token requests.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// With a token, after this time.
    Token(Duration),
    /// 503 with `Retry-After: 0`.
    Overloaded,
}

pub(crate) struct Setup {
    mode: Mutex<Mode>,
    /// A token has the number of its token request.
    token_requests: AtomicU64,
    /// Tokens up to this number must not be sent in the requests of this round.
    forgotten: Mutex<(u64, u64)>,
    forgotten_seen: AtomicU64,
    token_address: SocketAddr,
    api_address: SocketAddr,
}

pub(crate) enum Outcome {
    Response(u16),
    Failed(ErrorKind),
    Broken(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(status) => write!(f, "{status}"),
            Self::Failed(kind) => write!(f, "{kind:?}"),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

impl Setup {
    pub(crate) async fn open(mode: Mode) -> io::Result<Arc<Self>> {
        // The servers start before the setup that they use.
        let slot = Arc::new(std::sync::OnceLock::<Arc<Self>>::new());
        let (token, api) = (slot.clone(), slot.clone());
        let token_address = connection::listen(move |connection| serve(token.clone(), connection, Self::issue)).await?;
        let api_address = connection::listen(move |connection| serve(api.clone(), connection, Self::response)).await?;
        let setup = Arc::new(Self {
            mode: Mutex::new(mode),
            token_requests: AtomicU64::new(0),
            forgotten: Mutex::default(),
            forgotten_seen: AtomicU64::new(0),
            token_address,
            api_address,
        });
        Ok(slot.get_or_init(|| setup).clone())
    }

    pub(crate) fn layer(&self) -> Result<Layer, Error> {
        let token_url = format!("http://{}/token", self.token_address);
        Ok(OAuth2Layer::new(ClientCredentials::new(token_url, client::Client::basic("app", "secret"))?))
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        *lock(&self.mode) = mode;
    }

    pub(crate) fn token_requests(&self) -> u64 {
        self.token_requests.load(Ordering::SeqCst)
    }

    /// Waits until the server has received that many token requests.
    pub(crate) async fn has_token_requests(&self, count: u64) -> io::Result<()> {
        for _ in 0..10_000 {
            if self.token_requests() >= count {
                return Ok(());
            }
            sleep(Duration::from_millis(1)).await;
        }
        Err(io::Error::other("a refresh sends no token request"))
    }

    /// Requests from this round on must not carry the tokens that were requested up to now.
    pub(crate) fn forget(&self, round: u64) {
        *lock(&self.forgotten) = (round, self.token_requests());
    }

    /// The number of requests that carried a forgotten token.
    pub(crate) fn forgotten_seen(&self) -> u64 {
        self.forgotten_seen.load(Ordering::SeqCst)
    }

    pub(crate) async fn request(&self, client: Client, path: &str) -> Outcome {
        let request = Request::get(format!("http://{}{path}", self.api_address)).body(Full::default());
        let Ok(request) = request else { return Outcome::Broken("no request".into()) };
        let Ok(response) = timeout(HANG_TIMEOUT, client.oneshot(request)).await else {
            return Outcome::Broken("hung".into());
        };
        match response {
            Ok(response) => Outcome::Response(response.status().as_u16()),
            Err(error) => match error.downcast_ref::<Error>() {
                Some(error) => Outcome::Failed(error.kind()),
                None => Outcome::Broken(error.to_string()),
            },
        }
    }

    async fn issue(self: Arc<Self>, _: String, _: u64) -> (&'static str, String) {
        let number = self.token_requests.fetch_add(1, Ordering::SeqCst) + 1;
        let mode = *lock(&self.mode);
        match mode {
            Mode::Token(delay) => {
                sleep(delay).await;
                let token =
                    json!({ "access_token": format!("access-{number}"), "token_type": "Bearer", "expires_in": 3600 });
                ("200 OK\r\ncontent-type: application/json", token.to_string())
            }
            Mode::Overloaded => ("503 Service Unavailable\r\nretry-after: 0", String::new()),
        }
    }

    /// `/bad` rejects every token. A path that is a number names a round.
    async fn response(self: Arc<Self>, path: String, access: u64) -> (&'static str, String) {
        let (from, forgotten) = *lock(&self.forgotten);
        let is_of_round = path.trim_start_matches('/').parse().is_ok_and(|round: u64| round >= from);
        if is_of_round && access <= forgotten {
            self.forgotten_seen.fetch_add(1, Ordering::SeqCst);
        }
        (if path == "/bad" { "401 Unauthorized\r\nwww-authenticate: Bearer" } else { "200 OK" }, String::new())
    }
}

/// A client whose connections belong to the runtime that calls this.
pub(crate) fn http_client() -> Client {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    let http = HttpClient::builder(TokioExecutor::new()).build(http);
    BoxCloneService::new(http.map_err(BoxError::from))
}

/// The maximum number of attempts within a time: the first at once, each further one after the back-off.
pub(crate) fn max_attempts(within: Duration, first: Duration, max: Duration) -> u64 {
    let (mut attempts, mut passed, mut wait) = (1, Duration::ZERO, first);
    loop {
        passed += wait.min(max).mul_f64(0.8);
        if passed > within {
            return attempts;
        }
        (attempts, wait) = (attempts + 1, wait.mul_f64(1.6));
    }
}

async fn serve<F>(
    setup: Arc<std::sync::OnceLock<Arc<Setup>>>,
    mut connection: Connection,
    response: fn(Arc<Setup>, String, u64) -> F,
) where
    F: Future<Output = (&'static str, String)>,
{
    while let Some(request) = connection.read().await {
        let Some(setup) = setup.get().cloned() else { return };
        let access = request.header("authorization").and_then(number).unwrap_or_default();
        let (head, body) = response(setup, request.path, access).await;
        connection.write(head, &body).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
