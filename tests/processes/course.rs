//! A run of the test, from the login to the final check of the login.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower_oauth2::grant::{AuthorizationCode, Grant, Persisted, RefreshToken};
use tower_oauth2::store::TokenStore;
use tower_oauth2::{Error, OAuth2Layer, Token, Tokens};

use crate::fleet::{Event, Fleet, PROCESSES};
use crate::ledger::Ledger;
use crate::login::{LIFETIME, Setting, StoreLocation};
use crate::logout::Logout;
use crate::plain::{self, failed_call};
use crate::plan::{Act, plan};
use crate::redis::Redis;
use crate::report::Line;
use crate::server::{ExclusiveServer, Stats};
use crate::user::User;

/// A run that has ended.
pub(crate) struct Course {
    pub(crate) store: &'static str,
    pub(crate) length: Duration,
    pub(crate) seed: u64,
    pub(crate) with_server: bool,
    pub(crate) ledger: Ledger,
    pub(crate) stats: Stats,
    pub(crate) logout: Logout,
    /// The login that is stored at the end.
    pub(crate) stored: Option<u64>,
    /// Whether the login can still be refreshed at the end, and the server detects that a refresh token is used twice.
    pub(crate) final_check: Result<(), String>,
}

pub(crate) struct Run<S> {
    pub(crate) setting: Setting,
    pub(crate) store: S,
    pub(crate) login: Persisted<AuthorizationCode, S>,
    pub(crate) fleet: Fleet,
    pub(crate) events: UnboundedReceiver<(usize, Event)>,
    pub(crate) ledger: Ledger,
    pub(crate) logout: Logout,
    redis: Option<Redis>,
    /// Whether to kill the next process that takes the lock.
    kills_next_holder: bool,
    /// The start of the run, later by the time of interruptions.
    pub(crate) began: Instant,
}

impl Course {
    pub(crate) async fn run<S: TokenStore + Clone>(
        server: &ExclusiveServer,
        store: S,
        location: StoreLocation,
        redis: Option<Redis>,
    ) -> Self {
        // A shorter run has no time for the outages of the store's server.
        let length = Duration::from_secs(number("PROCESSES_SECONDS", 60).max(20));
        let seed = number("PROCESSES_SEED", 1);
        let (name, with_server) = (location.name(), redis.is_some());
        let setting = server.setting(location);
        let alice = User::at_oidc_provider();
        let login = setting.grant(move |url| alice.open(url)).persisted(store.clone());
        let token = tokens(login.clone()).get().await.unwrap();
        assert!(!token.is_expired(LIFETIME - Duration::from_secs(2)) && token.is_expired(LIFETIME), "{token:?}");

        let (fleet, events) = Fleet::start(setting.clone());
        let mut run = Run {
            setting: setting.clone(),
            store,
            login,
            fleet,
            events,
            ledger: Ledger::default(),
            logout: Logout::default(),
            redis,
            kills_next_holder: false,
            began: Instant::now(),
        };
        run.follow(plan(seed, length, PROCESSES, with_server)).await;
        let (stats, stored) = (server.stats().await, run.stored_login().await);
        let final_check = match run.ledger.lost() {
            None => final_check(server, run.login, &setting).await,
            Some(_) => Ok(()),
        };
        let (ledger, logout) = (run.ledger, run.logout);
        Self { store: name, length, seed, with_server, ledger, stats, logout, stored, final_check }
    }
}

impl<S: TokenStore + Clone> Run<S> {
    async fn follow(&mut self, plan: Vec<(Duration, Act)>) {
        for (at, act) in plan {
            if !self.receive_until(at).await {
                return;
            }
            match (act, &mut self.redis) {
                (Act::Kill(place), _) => self.kill(place).await,
                (Act::KillHolder, _) => self.kills_next_holder = true,
                (Act::LogOut, _) => self.log_out().await,
                (Act::Stop, Some(redis)) => redis.stop(),
                (Act::Continue, Some(redis)) => redis.resume(),
                (Act::Crash, Some(redis)) => redis.crash(),
                (Act::Restart, Some(redis)) => redis.restart(),
                (Act::End, _) => break,
                (act, None) => unreachable!("{act:?} of a store without a server"),
            }
        }
        self.fleet.stop();
        let all = async {
            while !self.ledger.all_ended(self.fleet.started()) {
                let (number, event) = self.events.recv().await.unwrap();
                self.ledger.take(number, event);
            }
        };
        timeout(Duration::from_secs(30), all).await.expect("all processes end when their standard input is closed");
    }

    /// Receives events until a time. Returns `false` if the login was lost without a kill that explains it.
    async fn receive_until(&mut self, then: Duration) -> bool {
        loop {
            tokio::select! {
                Some((number, event)) = self.events.recv() => {
                    let is_locked = matches!(event, Event::Printed(Line::Locked { .. }));
                    self.ledger.take(number, event);
                    if let (true, Some(place)) = (is_locked && self.kills_next_holder, self.fleet.place(number)) {
                        self.kills_next_holder = false;
                        self.kill(place).await;
                    }
                }
                () = sleep_until(self.began + then) => return true,
            }
            if self.ledger.lost().is_some() && !self.replace_lost_login().await {
                return false;
            }
        }
    }

    async fn kill(&mut self, place: usize) {
        self.ledger.kill(self.fleet.number(place));
        self.fleet.kill(place).await;
        self.fleet.replace(place);
    }

    async fn replace_lost_login(&mut self) -> bool {
        let interrupted = Instant::now();
        // Earlier events may still arrive.
        sleep(Duration::from_secs(1)).await;
        while let Ok((number, event)) = self.events.try_recv() {
            self.ledger.take(number, event);
        }
        if !self.ledger.is_excused() {
            return false;
        }
        for place in 0..PROCESSES {
            self.fleet.kill(place).await;
        }
        self.ledger.start_new_login(self.fleet.started());
        self.login.clear().await.unwrap();
        tokens(self.login.clone()).get().await.unwrap();
        if self.logout.other.is_some() {
            self.logout.other = self.stored_login().await;
        }
        self.fleet.start_all();
        self.began += interrupted.elapsed();
        true
    }
}

/// Refreshes the login again, and then sends the used refresh token, to check that the server detects it.
async fn final_check<S: TokenStore>(
    server: &ExclusiveServer,
    login: Persisted<AuthorizationCode, S>,
    setting: &Setting,
) -> Result<(), String> {
    let refreshing = async {
        let tokens = tokens(login);
        let used = tokens.get().await?;
        tokens.refresh().await?;
        Ok::<Token, Error>(used)
    };
    let used = refreshing.await.map_err(|error| format!("the login has ended: {error}"))?;
    let before = server.stats().await.revoked;
    let thief = RefreshToken::new(&*setting.token, setting.client(), used.refresh_token().unwrap()).unwrap();
    failed_call(thief, &setting.api).await;
    match server.stats().await.revoked - before {
        1 => Ok(()),
        _ => Err("this server does not revoke a login whose refresh token is used twice".to_owned()),
    }
}

pub(crate) fn tokens(grant: impl Grant) -> Tokens {
    OAuth2Layer::new(grant).token_service(plain::client()).tokens()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect(variable))
}
