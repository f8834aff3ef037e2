//! `POST /token` of a server that rotates refresh tokens, over a network that breaks a quarter of its answers.

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
    access::LIFETIMES,
    ledger::Ledger,
    run::Run,
    tally::Part,
    token_faults::Fault,
    wire::{self, Asked, Wire},
};

/// The number of a token call goes in this header, so that client and server can speak of the same one.
pub(crate) const CALL: &str = "x-call";
/// Says in the head of an answer that its body is broken.
pub(crate) const BROKEN: &str = "x-broken";

pub(crate) struct TokenServer {
    run: Arc<Run>,
    ledger: Arc<Ledger>,
    dice: Mutex<Rng>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl TokenServer {
    pub(crate) async fn start(run: Arc<Run>, ledger: Arc<Ledger>, dice: Rng) -> io::Result<(Arc<Self>, SocketAddr)> {
        let (at_once, most_at_once) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let server = Arc::new(Self { run, ledger, dice: Mutex::new(dice), at_once, most_at_once });
        let shared = server.clone();
        let address = wire::listen(move |wire| shared.clone().converse(wire)).await?;
        Ok((server, address))
    }

    /// How many token calls were processed at the same time, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }

    async fn converse(self: Arc<Self>, mut wire: Wire) {
        while wire.is_spoken_to().await {
            let mut dice = self.fork();
            let fault = Fault::draw(&mut dice).map(|(fault, name)| {
                self.run.count(Part::TokenCalls, name);
                fault
            });
            if fault == Some(Fault::ResetUnread) {
                return wire.reset();
            }
            let Some(asked) = wire.read().await else { return };
            if fault == Some(Fault::Stall) {
                return wire.stall().await;
            }
            let (head, body) = self.process(&asked, fault, &mut dice).await;
            match fault {
                Some(Fault::ResetUnprocessed | Fault::ResetProcessed) => return wire.reset(),
                Some(Fault::Half) => return wire.write_half(&head, &body).await,
                Some(Fault::Truncated) => wire.write(&head, &body[..body.len() / 2]).await,
                _ => wire.write(&head, &body).await,
            }
        }
    }

    async fn process(&self, asked: &Asked, fault: Option<Fault>, dice: &mut Rng) -> (String, String) {
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        sleep(Duration::from_millis(dice.u64(0..20))).await;
        let answer = match fault {
            Some(fault) if !fault.loses_the_answer() => fault.answer(),
            _ => self.refresh(asked, Duration::from_secs(dice.u64(LIFETIMES)), fault.is_some()),
        };
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    /// RFC 6749 §6.
    fn refresh(&self, asked: &Asked, lifetime: Duration, is_lost: bool) -> (String, String) {
        let call = asked.header(CALL).and_then(|call| call.parse().ok()).unwrap_or_default();
        let presented = form_urlencoded::parse(&asked.body).find(|(name, _)| name == "refresh_token");
        let presented = presented.and_then(|(_, token)| number(&token));
        let json = "content-type: application/json\r\ncache-control: no-store";
        let issue = presented.and_then(|presented| self.ledger.refresh(presented, call, lifetime));
        if is_lost {
            self.ledger.answer_lost(call);
        }
        match issue {
            Some(issue) => {
                let body = json!({
                    "access_token": format!("access-{}", issue.access),
                    "token_type": "Bearer",
                    "expires_in": lifetime.as_secs(),
                    "refresh_token": format!("refresh-{}", issue.refresh),
                });
                let broken = if is_lost { format!("\r\n{BROKEN}: yes") } else { String::new() };
                (format!("200 OK\r\n{json}{broken}"), body.to_string())
            }
            None => (format!("400 Bad Request\r\n{json}"), json!({ "error": "invalid_grant" }).to_string()),
        }
    }

    /// Dice for one token call: those of the next do not depend on what is drawn with them.
    fn fork(&self) -> Rng {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).fork()
    }
}

/// The number at the end of a token.
pub(crate) fn number(token: &str) -> Option<u64> {
    token.rsplit('-').next()?.parse().ok()
}
