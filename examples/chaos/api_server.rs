//! The API. It checks the token when it responds, so that revoking a token fails the requests in flight that carry it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    access_token::TokenStatus,
    behavior::ApiBehavior,
    connection::{self, Connection, RawRequest},
    ledger::Ledger,
    nonces::{DPOP_NONCE, Nonces},
    promises::Promise,
    proof_check::ProofCheck,
    run::Run,
    tally::Part,
    token_server::number,
};

/// The name under which revocations are counted.
pub(crate) const REVOKED: &str = "access token revoked";

pub(crate) struct ApiServer {
    run: Arc<Run>,
    ledger: Arc<Ledger>,
    /// `None` for Bearer tokens.
    proofs: Option<Arc<ProofCheck>>,
    nonces: Nonces,
}

/// A request whose second send takes longer than this may be rejected again.
const NONCE_INTERVAL: Duration = Duration::from_millis(250);

impl ApiServer {
    pub(crate) async fn start(
        run: Arc<Run>,
        ledger: Arc<Ledger>,
        proofs: Option<Arc<ProofCheck>>,
    ) -> io::Result<SocketAddr> {
        let nonces = Nonces::new("api", NONCE_INTERVAL);
        let server = Arc::new(Self { run, ledger, proofs, nonces });
        connection::listen(move |connection| server.clone().handle(connection)).await
    }

    async fn handle(self: Arc<Self>, mut connection: Connection) {
        while let Some(request) = connection.read().await {
            if let Err((challenge, nonce)) = self.check_proof(&request) {
                let head = format!("401 Unauthorized\r\nwww-authenticate: DPoP error=\"{challenge}\"{nonce}");
                connection.write(&head, "").await;
                continue;
            }
            match ApiBehavior::of(&request.path) {
                ApiBehavior::Respond => self.response(&request, &mut connection).await,
                ApiBehavior::RespondAfter(millis) => {
                    sleep(Duration::from_millis(millis)).await;
                    self.response(&request, &mut connection).await;
                }
                ApiBehavior::Revoke => {
                    if self.access(&request).is_some_and(|access| self.ledger.revoke(access)) {
                        self.run.count(Part::ApiFaults, REVOKED);
                    }
                    self.response(&request, &mut connection).await;
                }
                ApiBehavior::Unavailable => {
                    self.run.count(Part::ApiFaults, "503");
                    connection.write("503 Service Unavailable", "").await;
                }
                ApiBehavior::CutBody => {
                    self.run.count(Part::ApiFaults, "truncated response");
                    return connection.write_partial("200 OK", "the client receives only the first half of this").await;
                }
                ApiBehavior::Reset => {
                    self.run.count(Part::ApiFaults, "reset");
                    return connection.reset();
                }
                ApiBehavior::Stall => {
                    self.run.count(Part::ApiFaults, "stalled");
                    return connection.stall().await;
                }
            }
        }
    }

    async fn response(&self, request: &RawRequest, connection: &mut Connection) {
        let status = self.access(request).map_or(TokenStatus::Unknown, |access| self.ledger.status(access));
        let why = match status {
            TokenStatus::Valid => return connection.write("200 OK", "an order").await,
            TokenStatus::Revoked => "401: the token was revoked or replaced",
            TokenStatus::Expired => "401: the token had expired",
            TokenStatus::Unknown => "401: unknown token",
        };
        self.run.count(Part::Events, why);
        let head = format!("401 Unauthorized\r\nwww-authenticate: {} error=\"invalid_token\"", self.scheme());
        connection.write(&head, "").await;
    }

    /// The error is that of a challenge, and the header with the nonce that it demands.
    fn check_proof(&self, request: &RawRequest) -> Result<(), (&'static str, String)> {
        let Some(proofs) = &self.proofs else { return Ok(()) };
        let (method, url, sent) = request.proven();
        match proofs.check((method, &url), &sent, self.token(request)) {
            Err(why) => {
                self.run.broken(Promise::ProofsFit, why);
                Err(("invalid_dpop_proof", String::new()))
            }
            Ok(nonce) if self.nonces.accepts(nonce.as_deref()) => Ok(()),
            Ok(_) => {
                self.run.count(Part::Events, "401: the API demanded its nonce");
                Err(("use_dpop_nonce", format!("\r\n{DPOP_NONCE}: {}", self.nonces.current())))
            }
        }
    }

    fn scheme(&self) -> &'static str {
        if self.proofs.is_some() { "DPoP" } else { "Bearer" }
    }

    fn token<'a>(&self, request: &'a RawRequest) -> Option<&'a str> {
        request.header("authorization")?.strip_prefix(self.scheme())?.strip_prefix(' ')
    }

    fn access(&self, request: &RawRequest) -> Option<u64> {
        number(self.token(request)?.strip_prefix("access-")?)
    }
}
