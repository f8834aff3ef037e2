//! Reports the outcome of a login to its prompt.

use std::mem;
use std::sync::Arc;

use tokio::sync::watch;

use crate::catch_panic::catch_panic;
use crate::error::{Error, ErrorKind};
use crate::sync::{Mutex, lock};
use crate::token::Token;

/// How a device login has ended: see [`DevicePrompt::outcome`](crate::grant::DevicePrompt::outcome).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DeviceOutcome {
    /// The server issued a token.
    LoggedIn,
    /// The user or the server denied the login: [`ErrorKind::Denied`](crate::ErrorKind::Denied).
    Denied,
    /// The code expired: [`ErrorKind::LoginExpired`](crate::ErrorKind::LoginExpired).
    Expired,
    /// The login failed with another error.
    Failed(Error),
    /// The login was cancelled, because its runtime has shut down, the future of the grant was dropped, or the layer has started
    /// another login.
    Abandoned,
}

/// The state of a login, shared with its prompt.
#[derive(Clone)]
pub(super) struct DeviceLogin(Arc<LoginState>);

struct LoginState {
    phase: Mutex<Phase>,
    outcome: watch::Sender<Option<DeviceOutcome>>,
}

enum Phase {
    /// The callbacks for the end.
    Pending(Vec<EndCallback>),
    Ended(DeviceOutcome),
}

type EndCallback = Box<dyn FnOnce(&DeviceOutcome) + Send>;

/// Ends the login. Dropping it abandons the login.
pub(super) struct LoginGuard(DeviceLogin);

impl DeviceLogin {
    pub(super) fn start() -> (Self, LoginGuard) {
        let (phase, outcome) = (Mutex::new(Phase::Pending(Vec::new())), watch::Sender::new(None));
        let login = Self(Arc::new(LoginState { phase, outcome }));
        (login.clone(), LoginGuard(login))
    }

    pub(super) fn outcome(&self) -> impl Future<Output = DeviceOutcome> + Send + 'static {
        let mut outcome = self.0.outcome.subscribe();
        async move {
            match outcome.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(outcome)) => outcome.clone(),
                // Unreachable, because the guard ends each login.
                Ok(None) | Err(_) => DeviceOutcome::Abandoned,
            }
        }
    }

    pub(super) fn on_end(&self, callback: EndCallback) {
        let outcome = match &mut *lock(&self.0.phase) {
            Phase::Pending(callbacks) => {
                callbacks.push(callback);
                return;
            }
            Phase::Ended(outcome) => outcome.clone(),
        };
        callback(&outcome);
    }

    /// Callbacks and wakers are not called with the lock held, because they belong to the application.
    fn end(&self, outcome: &DeviceOutcome) {
        let callbacks = match &mut *lock(&self.0.phase) {
            Phase::Ended(_) => return,
            phase => match mem::replace(phase, Phase::Ended(outcome.clone())) {
                Phase::Pending(callbacks) => callbacks,
                Phase::Ended(_) => Vec::new(),
            },
        };
        for callback in callbacks {
            // A panic of a callback does not fail the login.
            let _ = catch_panic(|| callback(outcome));
        }
        self.0.outcome.send_replace(Some(outcome.clone()));
    }
}

impl LoginGuard {
    pub(super) fn end(self, outcome: &Result<Token, Error>) {
        self.0.end(&match outcome {
            Ok(_) => DeviceOutcome::LoggedIn,
            Err(error) => match error.kind() {
                ErrorKind::Denied => DeviceOutcome::Denied,
                ErrorKind::LoginExpired => DeviceOutcome::Expired,
                _ => DeviceOutcome::Failed(error.clone()),
            },
        });
    }
}

impl Drop for LoginGuard {
    fn drop(&mut self) {
        self.0.end(&DeviceOutcome::Abandoned);
    }
}
