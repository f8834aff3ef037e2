//! `POST /token` of a server that rotates refresh tokens; a quarter of the requests meet a fault.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use serde_json::json;
use tokio::time::sleep;
use url::form_urlencoded;

use super::{
    access_token::LIFETIMES,
    connection::{self, Connection, RawRequest},
    ledger::Ledger,
    nonces::{DPOP_NONCE, Nonces},
    promises::Promise,
    proof_check::ProofCheck,
    run::Run,
    tally::Part,
    token_faults::Fault,
};

/// The request header with the number of the token request, by which client and server identify it.
pub(crate) const REQUEST_NUMBER: &str = "x-request-number";
/// The response header that marks a response whose body is broken.
pub(crate) const BROKEN_BODY: &str = "x-broken";

/// The name under which responses that demand a nonce are counted.
pub(crate) const NONCE_DEMANDED: &str = "demanded a nonce";

/// A login has a token request every one to two seconds.
const NONCE_INTERVAL: Duration = Duration::from_secs(1);

const JSON: &str = "content-type: application/json\r\ncache-control: no-store";

pub(crate) struct TokenServer {
    run: Arc<Run>,
    ledger: Arc<Ledger>,
    /// `None` for Bearer tokens.
    proofs: Option<Arc<ProofCheck>>,
    nonces: Nonces,
    rng: Mutex<Rng>,
    concurrent: AtomicUsize,
    max_concurrent: AtomicUsize,
}

impl TokenServer {
    pub(crate) async fn start(
        run: Arc<Run>,
        ledger: Arc<Ledger>,
        proofs: Option<Arc<ProofCheck>>,
        rng: Rng,
    ) -> io::Result<(Arc<Self>, SocketAddr)> {
        let (concurrent, max_concurrent) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (nonces, rng) = (Nonces::new("token", NONCE_INTERVAL), Mutex::new(rng));
        let server = Arc::new(Self { run, ledger, proofs, nonces, rng, concurrent, max_concurrent });
        let shared = server.clone();
        let address = connection::listen(move |connection| shared.clone().handle(connection)).await?;
        Ok((server, address))
    }

    /// The maximum number of token requests that were processed at the same time.
    pub(crate) fn max_concurrent(&self) -> usize {
        self.max_concurrent.load(Ordering::SeqCst)
    }

    async fn handle(self: Arc<Self>, mut connection: Connection) {
        while connection.has_request().await {
            let mut rng = self.fork();
            let fault = Fault::draw(&mut rng);
            let count = || fault.map(|(fault, name)| (self.run.count(Part::TokenRequests, name), fault).1);
            if let Some((Fault::ResetUnread, _)) = fault {
                count();
                return connection.reset();
            }
            let Some(request) = connection.read().await else { return };
            if let Some(error) = self.proof_error(&request) {
                let head = format!("400 Bad Request\r\n{JSON}{}", self.next_nonce());
                connection.write(&head, &json!({ "error": error }).to_string()).await;
                continue;
            }
            let fault = count();
            if fault == Some(Fault::Stall) {
                return connection.stall().await;
            }
            let (head, body) = self.process(&request, fault, &mut rng).await;
            match fault {
                Some(Fault::ResetUnprocessed | Fault::ResetProcessed) => return connection.reset(),
                Some(Fault::CutBody) => return connection.write_partial(&head, &body).await,
                Some(Fault::Truncated) => connection.write(&head, &body[..body.len() / 2]).await,
                _ => connection.write(&head, &body).await,
            }
        }
    }

    async fn process(&self, request: &RawRequest, fault: Option<Fault>, rng: &mut Rng) -> (String, String) {
        let concurrent = self.concurrent.fetch_add(1, Ordering::SeqCst) + 1;
        self.max_concurrent.fetch_max(concurrent, Ordering::SeqCst);
        sleep(Duration::from_millis(rng.u64(0..20))).await;
        let response = match fault {
            Some(fault) if !fault.loses_response() => fault.response(),
            _ => self.refresh(request, Duration::from_secs(rng.u64(LIFETIMES)), fault.is_some()),
        };
        self.concurrent.fetch_sub(1, Ordering::SeqCst);
        response
    }

    /// RFC 6749 §6.
    fn refresh(&self, request: &RawRequest, lifetime: Duration, response_is_lost: bool) -> (String, String) {
        let request_number =
            request.header(REQUEST_NUMBER).and_then(|request_number| request_number.parse().ok()).unwrap_or_default();
        let presented = form_urlencoded::parse(&request.body).find(|(name, _)| name == "refresh_token");
        let presented = presented.and_then(|(_, token)| number(&token));
        let issue = presented.and_then(|presented| self.ledger.refresh(presented, request_number, lifetime));
        if response_is_lost {
            self.ledger.response_lost(request_number);
        }
        match issue {
            Some(issue) => {
                let body = json!({
                    "access_token": format!("access-{}", issue.access),
                    "token_type": if self.proofs.is_some() { "DPoP" } else { "Bearer" },
                    "expires_in": lifetime.as_secs(),
                    "refresh_token": format!("refresh-{}", issue.refresh),
                });
                let broken = if response_is_lost { format!("\r\n{BROKEN_BODY}: yes") } else { String::new() };
                (format!("200 OK\r\n{JSON}{broken}{}", self.next_nonce()), body.to_string())
            }
            None => (format!("400 Bad Request\r\n{JSON}"), json!({ "error": "invalid_grant" }).to_string()),
        }
    }

    /// RFC 9449 §5.
    fn proof_error(&self, request: &RawRequest) -> Option<&'static str> {
        let (method, url, sent) = request.proven();
        match self.proofs.as_ref()?.check((method, &url), &sent, None) {
            Err(why) => {
                self.run.broken(Promise::ProofsFit, why);
                Some("invalid_dpop_proof")
            }
            Ok(nonce) if self.nonces.accepts(nonce.as_deref()) => None,
            Ok(_) => {
                self.run.count(Part::TokenRequests, NONCE_DEMANDED);
                Some("use_dpop_nonce")
            }
        }
    }

    fn next_nonce(&self) -> String {
        match self.proofs {
            Some(_) => format!("\r\n{DPOP_NONCE}: {}", self.nonces.current()),
            None => String::new(),
        }
    }

    /// A generator for one token request: what is drawn from it does not affect the next request.
    fn fork(&self) -> Rng {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).fork()
    }
}

/// The number at the end of a token.
pub(crate) fn number(token: &str) -> Option<u64> {
    token.rsplit('-').next()?.parse().ok()
}
