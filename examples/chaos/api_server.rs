//! The API. It checks the token when it responds, so that revoking a token fails the requests in flight that carry it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    access_token::TokenStatus,
    behavior::ApiBehavior,
    connection::{self, Connection, RawRequest},
    ledger::Ledger,
    run::Run,
    tally::Part,
    token_server::number,
};

/// The name under which revocations are counted.
pub(crate) const REVOKED: &str = "access token revoked";

pub(crate) struct ApiServer {
    run: Arc<Run>,
    ledger: Arc<Ledger>,
}

impl ApiServer {
    pub(crate) async fn start(run: Arc<Run>, ledger: Arc<Ledger>) -> io::Result<SocketAddr> {
        let server = Arc::new(Self { run, ledger });
        connection::listen(move |connection| server.clone().handle(connection)).await
    }

    async fn handle(self: Arc<Self>, mut connection: Connection) {
        while let Some(request) = connection.read().await {
            match ApiBehavior::of(&request.path) {
                ApiBehavior::Respond => self.response(&request, &mut connection).await,
                ApiBehavior::RespondAfter(millis) => {
                    sleep(Duration::from_millis(millis)).await;
                    self.response(&request, &mut connection).await;
                }
                ApiBehavior::Revoke => {
                    if access(&request).is_some_and(|access| self.ledger.revoke(access)) {
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
        let status = access(request).map_or(TokenStatus::Unknown, |access| self.ledger.status(access));
        let why = match status {
            TokenStatus::Valid => return connection.write("200 OK", "an order").await,
            TokenStatus::Revoked => "401: the token was revoked or replaced",
            TokenStatus::Expired => "401: the token had expired",
            TokenStatus::Unknown => "401: unknown token",
        };
        self.run.count(Part::Events, why);
        connection.write("401 Unauthorized\r\nwww-authenticate: Bearer error=\"invalid_token\"", "").await;
    }
}

fn access(request: &RawRequest) -> Option<u64> {
    number(request.header("authorization")?.strip_prefix("Bearer access-")?)
}
