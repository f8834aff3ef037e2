//! The API. It looks at the token when it answers, so that one which is revoked ends the requests under way with it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    access::Standing,
    ledger::Ledger,
    plan::Fate,
    run::Run,
    tally::Part,
    token_server::number,
    wire::{self, Asked, Wire},
};

/// How revocations are counted.
pub(crate) const REVOKED: &str = "access token revoked";

pub(crate) struct ApiServer {
    run: Arc<Run>,
    ledger: Arc<Ledger>,
}

impl ApiServer {
    pub(crate) async fn start(run: Arc<Run>, ledger: Arc<Ledger>) -> io::Result<SocketAddr> {
        let server = Arc::new(Self { run, ledger });
        wire::listen(move |wire| server.clone().converse(wire)).await
    }

    async fn converse(self: Arc<Self>, mut wire: Wire) {
        while let Some(asked) = wire.read().await {
            match Fate::of(&asked.path) {
                Fate::Answer => self.answer(&asked, &mut wire).await,
                Fate::AnswerAfter(millis) => {
                    sleep(Duration::from_millis(millis)).await;
                    self.answer(&asked, &mut wire).await;
                }
                Fate::Revoke => {
                    if access(&asked).is_some_and(|access| self.ledger.revoke(access)) {
                        self.run.count(Part::ApiFaults, REVOKED);
                    }
                    self.answer(&asked, &mut wire).await;
                }
                Fate::Unavailable => {
                    self.run.count(Part::ApiFaults, "503");
                    wire.write("503 Service Unavailable", "").await;
                }
                Fate::Half => {
                    self.run.count(Part::ApiFaults, "half an answer");
                    return wire.write_half("200 OK", "this is what the first half would be without the other").await;
                }
                Fate::Reset => {
                    self.run.count(Part::ApiFaults, "reset");
                    return wire.reset();
                }
                Fate::Stall => {
                    self.run.count(Part::ApiFaults, "stalled");
                    return wire.stall().await;
                }
            }
        }
    }

    async fn answer(&self, asked: &Asked, wire: &mut Wire) {
        let standing = access(asked).map_or(Standing::Unknown, |access| self.ledger.standing(access));
        let why = match standing {
            Standing::Good => return wire.write("200 OK", "an order").await,
            Standing::Dead => "401, for the token was revoked or replaced",
            Standing::Expired => "401, for the token had expired",
            Standing::Unknown => "401, for it is no token of ours",
        };
        self.run.count(Part::OnTheWay, why);
        wire.write("401 Unauthorized\r\nwww-authenticate: Bearer error=\"invalid_token\"", "").await;
    }
}

fn access(asked: &Asked) -> Option<u64> {
    number(asked.header("authorization")?.strip_prefix("Bearer access-")?)
}
