//! Performs the steps of a refresh that come after the entry was loaded: the token request, and what its result changes.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::fallback_token::Fallback;
use super::persisted_grant::Persisted;
use super::refresh_input::RefreshInput;
use super::refresh_plan::rejected_login;
use super::session::Session;
use super::store_content::StoreContent;
use super::version::nothing_stored;
use crate::error::{Error, ErrorKind};
use crate::grant::{Context, Grant};
use crate::secret::Secret;
use crate::store::TokenStore;
use crate::token::Token;
use crate::transport::Rotation;

/// A refresh that has loaded the entry, and holds the lock if the store could be reached.
pub(super) struct LockedRefresh<'a, G, S: TokenStore> {
    pub(super) persisted: &'a Persisted<G, S>,
    pub(super) cx: Context,
    pub(super) session: Arc<Session>,
    pub(super) input: RefreshInput,
    /// The stored token, unless it was forgotten.
    pub(super) stored_token: Option<Token>,
    /// The version that was loaded, even if its token was forgotten.
    pub(super) stored_version: StoreContent<u64>,
    pub(super) fallback: Option<Fallback<'a>>,
    pub(super) lock: Option<S::Lock>,
}

impl<G: Grant, S: TokenStore> LockedRefresh<'_, G, S> {
    /// Uses the initial token without a token request.
    pub(super) async fn use_initial(self, token: Token) -> Token {
        self.spend_fallback();
        // If the store could not be read, it may have a newer token, which the initial one must not replace.
        if self.stored_version == StoreContent::Unknown {
            return token.with_stored_as(nothing_stored());
        }
        self.save(token, None).await
    }

    /// Sends a token request that replaces the token `sent`.
    pub(super) async fn send_request(self, sent: Option<Token>) -> Result<Token, Error> {
        let rotation = Rotation::default();
        let inner = self.cx.clone().with_previous(sent.clone()).with_rotation(&rotation);
        let request = self.persisted.grant.obtain(inner);
        match unless_superseded(&self.cx, self.session.superseded(), request).await {
            Some(Ok(token)) => {
                self.spend_fallback();
                self.persisted.fallback.set_rejected(None);
                Ok(self.save(token, sent).await)
            }
            Some(Err(error)) => Err(self.fail(sent, &rotation, error).await),
            None => Err(Error::new(ErrorKind::Timeout, "a newer login has replaced this one")),
        }
    }

    /// Saves what a failed token request has changed at the server: the login is over, or it has a new refresh token. Returns the error for
    /// the cell.
    async fn fail(self, sent: Option<Token>, rotation: &Rotation, error: Error) -> Error {
        let is_login_over = error.spent_refresh_token();
        // A response without an access token may have replaced the refresh token.
        let rotated = sent.as_ref().and_then(|sent| {
            let new = rotation.replacement(sent.refresh_token())?;
            Some(sent.clone().with_refresh_token(new.expose()))
        });
        if is_login_over || rotated.is_some() {
            self.spend_fallback();
            // After its refresh token was rejected, the token must not count as a first one: see `FallbackToken`.
            let is_first_over = is_login_over && self.input.is_first();
            self.persisted.fallback.set_rejected(sent.clone().filter(|_| is_first_over));
        }
        let rejected = is_login_over
            .then(|| rejected_login(sent.as_ref(), self.stored_token.as_ref(), self.input.previous.as_ref()));
        if rejected.is_some_and(|rejected| rejected.is_stored)
            && let Some(version) = self.stored_version.version()
        {
            let coordinator = &self.persisted.coordinator;
            coordinator.ok_or_report(&self.session, coordinator.entry.clear(version).await);
        }
        if let Some(token) = rotated {
            self.save_rotated(token, sent).await;
        }
        let error = match rejected {
            Some(rejected) if rejected.cell_has_other => error.without_spent_refresh_token(),
            _ => error,
        };
        error.recoverable_without_login()
    }

    /// Saves a token whose refresh token is new, and offers the refresh token to the cell.
    async fn save_rotated(self, token: Token, sent: Option<Token>) {
        if let (Some(of_cell), Some(new)) = (&self.input.previous, token.refresh_token()) {
            self.cx.transport().record_rotation(of_cell.refresh_token().map(Secret::new), Secret::new(new));
        }
        self.save(token, sent).await;
    }

    /// Saves a token that was obtained with `sent`.
    async fn save(self, token: Token, sent: Option<Token>) -> Token {
        let new = self.input.new_token(token, sent, self.stored_version);
        self.persisted.coordinator.save(&self.cx, &self.session, new, self.lock).await
    }

    fn spend_fallback(&self) {
        if let Some(fallback) = &self.fallback {
            fallback.spend();
        }
    }
}

/// Runs a grant. Returns `None` if it was cancelled.
///
/// A superseded login is cancelled, because it holds the lock until the person has logged in or the login has expired. A token request is
/// not cancelled, because the server may have replaced the refresh token. A login is recognized by its
/// extended stall timeout.
async fn unless_superseded<F: Future>(
    cx: &Context,
    superseded: impl Future<Output = ()>,
    grant: F,
) -> Option<F::Output> {
    let (mut superseded, mut grant) = (pin!(superseded), pin!(grant));
    poll_fn(|task| match grant.as_mut().poll(task) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if cx.is_stall_timeout_extended() => superseded.as_mut().poll(task).map(|()| None),
        Poll::Pending => Poll::Pending,
    })
    .await
}
