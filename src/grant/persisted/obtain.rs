//! Obtains a token: the one that another process has saved, or a new one, which is saved before it is used.

use super::coordinator::Coordinator;
use super::locked_refresh::LockedRefresh;
use super::persisted_grant::Persisted;
use super::refresh_input::RefreshInput;
use super::refresh_plan::{RefreshPlan, plan_refresh};
use crate::dpop::Dpop;
use crate::error::Error;
use crate::grant::{Context, Grant};
use crate::store::{Entry, TokenStore};
use crate::token::Token;

impl<G: Grant, S: TokenStore> Grant for Persisted<G, S> {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        self.check_subject()?;
        if cx.is_tenant() {
            self.check_tenant()?;
        }
        if cx.resource_needs().is_some() {
            // The key of the entry has no resource, so that another API would get the token.
            let why = "call it on `ProtectedResource`, and not on the grant of `with_grant`";
            return Err(Error::argument("persisted", why));
        }
        let coordinator = &self.coordinator;
        let session = coordinator.open_session(&cx);
        let mut input = RefreshInput::new(&cx, session.last_seen());
        if let Some(token) = coordinator.adopt_before_lock(&session, &mut input).await {
            return Ok(token);
        }

        let (lock, stored) = coordinator.lock_and_load(&session, input.is_proactive()).await?;
        input.learn_known(stored.as_ref());
        let has_logged_out = coordinator.has_logged_out(&session, &input, stored.as_ref()).await;
        let stored_version = stored.as_ref().map(Entry::version);
        let entry = coordinator.clear_if_forgotten(&session, &input, stored.held()).await;
        if let Some(token) = Coordinator::<S>::adopt_if_newer(&session, &input, entry.as_ref()) {
            return Ok(token);
        }

        let stored_token = entry.as_ref().map(|entry| entry.token.clone());
        let fallback = input.is_first().then(|| self.fallback.instead_of(stored_token.as_ref(), &self.grant)).flatten();
        let plan = plan_refresh(&input, entry, has_logged_out, fallback.as_ref());
        let refresh =
            LockedRefresh { persisted: self, cx, session, input, stored_token, stored_version, fallback, lock };
        match plan {
            RefreshPlan::UseInitial(token) => Ok(refresh.use_initial(token).await),
            RefreshPlan::SendRequest(previous) => refresh.send_request(previous).await,
        }
    }

    /// Returns the name of the inner grant.
    fn name(&self) -> &'static str {
        self.grant.name()
    }

    /// Returns the key of the inner grant.
    fn dpop(&self) -> Option<Dpop> {
        self.grant.dpop()
    }
}
