//! A logout while eight processes have the token in memory, and another login that is stored later.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tower_oauth2::store::TokenStore;

use crate::course::{Run, tokens};
use crate::fleet::PROCESSES;
use crate::login::LIFETIME;
use crate::user::User;

/// The time between the logout and the other login. The token of each process expires in that time, and its refreshes fail.
const LOGGED_OUT: Duration = LIFETIME.saturating_add(Duration::from_secs(4));

/// The maximum time until all processes use the other login, because of their back-offs.
const BACK: Duration = Duration::from_secs(20);

/// The result of the logout.
#[derive(Default)]
pub(crate) struct Logout {
    /// Whether there was a logout.
    pub(crate) happened: bool,
    /// The number of times that an entry was found after the logout.
    pub(crate) undone: u64,
    /// The number of processes that did not detect the logout.
    pub(crate) unaware: usize,
    /// The number of processes that did not use the other login.
    pub(crate) stuck: usize,
    /// The identity of the other login in the store.
    pub(crate) other: Option<u64>,
}

impl<S: TokenStore + Clone> Run<S> {
    pub(crate) async fn log_out(&mut self) {
        let interrupted = Instant::now();
        self.ledger.expect_logout();
        self.login.clear().await.unwrap();
        self.logout.happened = true;
        while interrupted.elapsed() < LOGGED_OUT {
            self.receive_events().await;
            self.logout.undone += u64::from(self.stored_login().await.is_some());
        }
        let numbers: Vec<_> = (0..PROCESSES).map(|place| self.fleet.number(place)).collect();
        self.logout.unaware = numbers.iter().filter(|number| !self.ledger.knows_of_logout(**number)).count();

        let alice = User::at_oidc_provider();
        let other = tokens(self.setting.grant(move |url| alice.open(url))).get().await.unwrap();
        self.login.save(other).await.unwrap();
        self.logout.other = self.stored_login().await;
        let served = |run: &Self| numbers.iter().map(|number| run.ledger.served(*number)).collect::<Vec<_>>();
        let before = served(self);
        let all_go_on = async {
            while served(self).iter().zip(&before).any(|(now, before)| now <= before) {
                self.receive_events().await;
            }
        };
        if timeout(BACK, all_go_on).await.is_err() {
            self.logout.stuck = served(self).iter().zip(&before).filter(|(now, before)| now <= before).count();
        }
        self.began += interrupted.elapsed();
    }

    /// Returns the identity of the stored login.
    pub(crate) async fn stored_login(&self) -> Option<u64> {
        self.store.load(self.login.key()).await.unwrap().map(|entry| entry.login)
    }

    /// Receives the events of a moment.
    async fn receive_events(&mut self) {
        sleep(Duration::from_millis(100)).await;
        while let Ok((number, event)) = self.events.try_recv() {
            self.ledger.take(number, event);
        }
    }
}
