//! From the one login to the last look whether it still lives.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower_oauth2::grant::{AuthorizationCode, Grant, Persisted, RefreshToken};
use tower_oauth2::store::TokenStore;
use tower_oauth2::{Error, OAuth2Layer, Token, Tokens};

use crate::fleet::{Event, Fleet, PROCESSES};
use crate::ledger::Ledger;
use crate::login::{LIFETIME, Setting, Shelf};
use crate::person::Person;
use crate::plain::{self, refusal};
use crate::plan::{Act, plan};
use crate::redis::Redis;
use crate::report::Line;
use crate::server::{Stats, Turn};

/// A run that is over.
pub(crate) struct Course {
    pub(crate) store: &'static str,
    pub(crate) length: Duration,
    pub(crate) seed: u64,
    pub(crate) with_server: bool,
    pub(crate) ledger: Ledger,
    pub(crate) stats: Stats,
    /// What the end of the run showed: whether the login can still be renewed, and whether this server minds reuse at all.
    pub(crate) last_look: Result<(), String>,
}

struct Run<S> {
    login: Persisted<AuthorizationCode, S>,
    fleet: Fleet,
    heard: UnboundedReceiver<(usize, Event)>,
    ledger: Ledger,
    redis: Option<Redis>,
    /// Whether who next has the turn is to be killed.
    aims: bool,
    /// When it began; later, if it was interrupted.
    began: Instant,
}

impl Course {
    pub(crate) async fn run<S: TokenStore>(server: &Turn, store: S, shelf: Shelf, redis: Option<Redis>) -> Self {
        // In less than that there is no room for all that is done to the store's server.
        let length = Duration::from_secs(number("SIBLINGS_SECONDS", 60).max(20));
        let seed = number("SIBLINGS_SEED", 1);
        let (name, with_server) = (shelf.name(), redis.is_some());
        let setting = server.setting(shelf);
        let alice = Person::at_oidc_provider();
        let login = setting.grant(move |url| alice.opens(url)).persisted(store);
        let token = tokens(login.clone()).get().await.unwrap();
        assert!(!token.is_expired(LIFETIME - Duration::from_secs(2)) && token.is_expired(LIFETIME), "{token:?}");

        let (fleet, heard) = Fleet::start(setting.clone());
        let mut run = Run { login, fleet, heard, ledger: Ledger::default(), redis, aims: false, began: Instant::now() };
        run.keep_to(plan(seed, length, PROCESSES, with_server)).await;
        let stats = server.stats().await;
        let last_look = match run.ledger.lost() {
            None => last_look(server, run.login, &setting).await,
            Some(_) => Ok(()),
        };
        Self { store: name, length, seed, with_server, ledger: run.ledger, stats, last_look }
    }
}

impl<S: TokenStore> Run<S> {
    async fn keep_to(&mut self, plan: Vec<(Duration, Act)>) {
        for (at, act) in plan {
            if !self.listen_until(at).await {
                return;
            }
            match (act, &mut self.redis) {
                (Act::Kill(place), _) => self.kill(place).await,
                (Act::KillHolder, _) => self.aims = true,
                (Act::Stop, Some(redis)) => redis.stop(),
                (Act::Continue, Some(redis)) => redis.go_on(),
                (Act::Crash, Some(redis)) => redis.crash(),
                (Act::Restart, Some(redis)) => redis.restart(),
                (Act::End, _) => break,
                (act, None) => unreachable!("{act:?} of a store without a server"),
            }
        }
        self.fleet.dismiss();
        let all = async {
            while !self.ledger.all_ended(self.fleet.started()) {
                let (number, event) = self.heard.recv().await.unwrap();
                self.ledger.take(number, event);
            }
        };
        timeout(Duration::from_secs(30), all).await.expect("all processes end when they are told to");
    }

    /// `false`: a login is lost, and no kill explains it.
    async fn listen_until(&mut self, then: Duration) -> bool {
        loop {
            tokio::select! {
                Some((number, event)) = self.heard.recv() => {
                    let is_turn = matches!(event, Event::Said(Line::Turn { .. }));
                    self.ledger.take(number, event);
                    if let (true, Some(place)) = (is_turn && self.aims, self.fleet.place(number)) {
                        self.aims = false;
                        self.kill(place).await;
                    }
                }
                () = sleep_until(self.began + then) => return true,
            }
            if self.ledger.lost().is_some() && !self.log_in_anew().await {
                return false;
            }
        }
    }

    async fn kill(&mut self, place: usize) {
        self.ledger.kill(self.fleet.number(place));
        self.fleet.kill(place).await;
        self.fleet.replace(place);
    }

    async fn log_in_anew(&mut self) -> bool {
        let interrupted = Instant::now();
        // What was said before may come after.
        sleep(Duration::from_secs(1)).await;
        while let Ok((number, event)) = self.heard.try_recv() {
            self.ledger.take(number, event);
        }
        if !self.ledger.is_excused() {
            return false;
        }
        for place in 0..PROCESSES {
            self.fleet.kill(place).await;
        }
        self.ledger.begin_anew(self.fleet.started());
        self.login.clear().await.unwrap();
        tokens(self.login.clone()).get().await.unwrap();
        self.fleet.start_all();
        self.began += interrupted.elapsed();
        true
    }
}

/// The login is renewed once more; then its spent refresh token is tried, to see that the server would have told.
async fn last_look<S: TokenStore>(
    server: &Turn,
    login: Persisted<AuthorizationCode, S>,
    setting: &Setting,
) -> Result<(), String> {
    let looking = async {
        let tokens = tokens(login);
        let spent = tokens.get().await?;
        tokens.refresh().await?;
        Ok::<Token, Error>(spent)
    };
    let spent = looking.await.map_err(|error| format!("the login is dead in the end: {error}"))?;
    let before = server.stats().await.revoked;
    let thief = RefreshToken::new(&*setting.token, setting.client(), spent.refresh_token().unwrap()).unwrap();
    refusal(thief, &setting.api).await;
    match server.stats().await.revoked - before {
        1 => Ok(()),
        _ => Err("this server does not revoke a login whose refresh token is spent twice".to_owned()),
    }
}

fn tokens(grant: impl Grant) -> Tokens {
    OAuth2Layer::new(grant).token_service(plain::client()).tokens()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect(variable))
}
