//! Obtains a token: the one that another process has saved, or a new one, which is saved before it is used.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::coordinator::Coordinator;
use super::persisted_grant::Persisted;
use super::refresh_input::RefreshInput;
use super::version::{nothing_stored, stored_as};
use crate::error::{Error, ErrorKind};
use crate::grant::{Context, Grant, Reason};
use crate::secret::Secret;
use crate::store::TokenStore;
use crate::token::Token;
use crate::transport::Rotation;

impl<G: Grant, S: TokenStore> Grant for Persisted<G, S> {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        self.check_subject()?;
        let coordinator = &self.coordinator;
        let session = coordinator.open_session(&cx);
        let mut input = RefreshInput::new(&cx, session.last_seen());
        let is_forced = cx.reason() == Reason::Forced;
        if input.is_forgotten {
            let other_login = coordinator.clear_forgotten(&session, &mut input).await;
            if let Some(token) = Coordinator::<S>::adopt_if_newer(&session, &input, other_login.as_ref()) {
                return Ok(token);
            }
        } else if input.previous.is_none() && is_forced {
            // The caller needs a newer token than the stored one. Only a token that another process saves from now on is newer.
            let stored = coordinator.ok_or_report(&session, coordinator.entry.load().await);
            input.known = stored.map(|stored| stored.as_ref().map_or_else(nothing_stored, stored_as));
        } else if !input.is_set {
            let stored = coordinator.peek(&session).await;
            if let Some(token) = Coordinator::<S>::adopt_if_newer(&session, &input, stored.as_ref()) {
                return Ok(token);
            }
        }

        let is_proactive = cx.reason() == Reason::Proactive;
        let (lock, stored) = coordinator.lock_and_load(&session, is_proactive).await?.unzip();
        if input.previous.is_none() && (input.is_forgotten || is_forced) && input.known.is_none() {
            // The load before the lock was taken has failed.
            input.known = stored.as_ref().map(|stored| stored.as_ref().map_or_else(nothing_stored, stored_as));
        }
        // `None` if the store could not be read, `Some(None)` if it has no entry.
        let stored_version = stored.as_ref().map(|stored| stored.as_ref().map(|entry| entry.generation));
        let has_logged_out = coordinator.has_logged_out(&session, &input, stored.as_ref()).await;
        let mut stored = stored.flatten();
        // A forgotten token is not used again, even if it could not be removed before.
        if let Some(entry) = stored.take_if(|entry| input.has_forgotten(&session, entry)) {
            coordinator.ok_or_report(&session, coordinator.entry.clear(entry.generation).await);
        }
        if let Some(token) = Coordinator::<S>::adopt_if_newer(&session, &input, stored.as_ref()) {
            return Ok(token);
        }

        let stored_token = stored.as_ref().map(|entry| entry.token.clone());
        let is_first = input.previous.is_none() && !input.is_forgotten;
        let fallback = if is_first { self.fallback.instead_of(stored_token.as_ref(), &self.grant) } else { None };
        let previous = match &fallback {
            Some(initial) if initial.is_valid() && !is_forced => {
                initial.spend();
                // If the store could not be read, it may have a newer token, which the initial one must not replace.
                if stored_version.is_none() {
                    return Ok(initial.token.clone().with_stored_as(nothing_stored()));
                }
                let new = input.new_token(initial.token.clone(), None, stored_version);
                return Ok(coordinator.save(&cx, &session, new, lock).await);
            }
            Some(fallback) => Some(fallback.token.clone()),
            // The refresh token of a login that has ended is not used.
            None if has_logged_out => input.previous.clone().map(Token::without_refresh_token),
            None => input.select(stored),
        };
        // The stored login is cleared only if its own refresh token is sent and rejected.
        let stored_secret = stored_token.as_ref().and_then(Token::refresh_token);
        let sends_stored = previous.as_ref().is_some_and(|sent| sent.refresh_token() == stored_secret);
        let sent_secret = previous.as_ref().and_then(|previous| previous.refresh_token().map(ToOwned::to_owned));
        let rotation = Rotation::default();
        let inner = cx.clone().with_previous(previous.clone()).with_rotation(&rotation);
        let Some(outcome) = unless_superseded(&cx, session.superseded(), self.grant.obtain(inner)).await else {
            return Err(Error::new(ErrorKind::Timeout, "a newer login has replaced this one"));
        };
        let is_login_over = outcome.as_ref().is_err_and(Error::spent_refresh_token);
        // A response without an access token may have replaced the refresh token.
        let rotated = previous.clone().filter(|_| outcome.is_err()).and_then(|previous| {
            let new = rotation.replacement(previous.refresh_token())?;
            Some(previous.with_refresh_token(new.expose()))
        });
        if outcome.is_ok() || is_login_over || rotated.is_some() {
            if let Some(fallback) = fallback {
                fallback.spend();
            }
            // After its refresh token was rejected, the token must not count as a first one: see `FallbackToken`.
            self.fallback.set_rejected(previous.clone().filter(|_| is_login_over && is_first));
        }
        match outcome {
            Ok(token) => {
                Ok(coordinator.save(&cx, &session, input.new_token(token, previous, stored_version), lock).await)
            }
            Err(error) => {
                if is_login_over
                    && sends_stored
                    && let Some(version) = stored_version
                {
                    coordinator.ok_or_report(&session, coordinator.entry.clear(version.unwrap_or_default()).await);
                }
                if let Some(token) = rotated {
                    if let (Some(ours), Some(new)) = (&input.previous, token.refresh_token()) {
                        cx.transport().record_rotation(ours.refresh_token().map(Secret::new), Secret::new(new));
                    }
                    coordinator.save(&cx, &session, input.new_token(token, previous, stored_version), lock).await;
                }
                // If the store had a newer token, the cell still has another refresh token, which the server has not rejected.
                let cell_has_other = cx.previous().is_some_and(|ours| ours.refresh_token() != sent_secret.as_deref());
                Err(if is_login_over && cell_has_other { error.without_spent_refresh_token() } else { error }
                    .recoverable_without_login())
            }
        }
    }

    /// Returns the name of the inner grant.
    fn name(&self) -> &'static str {
        self.grant.name()
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
