//! Logs a user in on this machine: browser, redirect, exchange, and the final page.

use std::future::{pending, ready};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::browser;
use super::owner::{GrantId, Owner};
use super::page::Page;
use super::pending_login::{CodeResult, PendingLogin, StartRedirect};
use super::port::Port;
use super::server::Server;
use crate::clock;
use crate::dpop::Dpop;
use crate::error::{Error, ErrorKind};
use crate::grant::{Authorization, AuthorizationCode, Context, Grant};
use crate::random;
use crate::token::Token;

#[cfg_attr(docsrs, doc(cfg(feature = "loopback")))]
impl Grant for AuthorizationCode {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        let this = Self { config: self.config.for_call(&cx), ..self.clone() };
        self.config
            .refresh_or_log_in(&cx, self.logins, || {
                this.log_in(&cx, &self.loopback.grant_id, |login, _| ready(Ok(login)))
            })
            .await
    }

    fn name(&self) -> &'static str {
        "authorization_code"
    }

    fn initial_token(&self) -> Option<Token> {
        self.config.initial.token()
    }

    fn dpop(&self) -> Option<Dpop> {
        self.config.endpoint.dpop_key().cloned()
    }
}

impl AuthorizationCode {
    /// Logs a user in. `grant_id` is that of the grant, of which this may be a copy for one call. `prepare` gets this grant and the redirect
    /// URI of the login, and returns the grant that continues.
    pub(super) async fn log_in<Fut>(
        self,
        cx: &Context,
        grant_id: &GrantId,
        prepare: impl FnOnce(Self, String) -> Fut,
    ) -> Result<Token, Error>
    where
        Fut: Future<Output = Result<Self, Error>>,
    {
        cx.extend_stall_timeout(self.loopback.timeout);
        let port = Port::open(&self.loopback, Owner::new(grant_id, cx))?;
        let redirect_uri = port.url(&self.loopback.path);
        let begin = async {
            let this = prepare(self, redirect_uri.clone()).await?;
            let login = this.begin(cx.transport(), redirect_uri).await?;
            Ok::<_, Error>((this, login))
        };
        let (this, login) = tokio::select! {
            biased;
            // A newer login would otherwise find the browser of this one open.
            () = port.closed_for_another() => return Err(replaced()),
            begun = begin => begun?,
        };
        this.complete(cx, port, login).await
    }

    /// Shows the login to the user, waits for the redirect, and exchanges the code.
    async fn complete(&self, cx: &Context, port: Arc<Port>, login: Authorization) -> Result<Token, Error> {
        let options = &self.loopback;
        let start = match options.browser {
            Some(_) => None,
            None => Some(StartRedirect { path: format!("/start/{}", *random::text()?), location: login.url().clone() }),
        };
        let start_url = start.as_ref().map(|start| port.url(&start.path));
        let (pending, redirect) = PendingLogin::new(self.expected(&login), &login.redirect_uri, start);
        // The server runs before the browser starts, because the redirect may follow at once.
        let mut server = Server::start(port.clone(), pending);
        let waited = clock::within(options.timeout, async {
            let failure = browser::show(options, login.url().clone(), start_url)?;
            wait(redirect, failure, &port, server.stopped()).await
        });
        let outcome = match waited.await {
            Some(Ok(result)) => match result {
                // The timeout of the login covers the user's part only. The exchange has its own timeout.
                Ok(code) => self.exchange(cx.transport(), login.with_code(code)).await,
                Err(error) => Err(error),
            },
            Some(Err(error)) => {
                server.end(Page::failure(&error)).await;
                return Err(error);
            }
            None => Err(self.expired(server.login())),
        };
        server.end(outcome.as_ref().map_or_else(Page::failure, |_| Page::success())).await;
        outcome.map_err(Error::with_failed_login)
    }

    /// Returns the error of the timeout. It includes why the last request to the redirect URI did not complete the login.
    fn expired(&self, login: &PendingLogin) -> Error {
        let mut why = format!("no redirect completed it within {:?}", self.loopback.timeout);
        if let Some(unrelated) = login.last_unrelated() {
            why += "; the last request to the redirect URI was not accepted: ";
            why += &unrelated;
        }
        Error::new(ErrorKind::LoginExpired, why)
    }
}

/// Waits for the redirect, or for an event that makes it impossible.
async fn wait(
    redirect: oneshot::Receiver<CodeResult>,
    failure: oneshot::Receiver<Error>,
    port: &Port,
    stopped: impl Future<Output = ()>,
) -> Result<CodeResult, Error> {
    let failure = async {
        match failure.await {
            Ok(error) => error,
            // The URL was shown.
            Err(_) => pending().await,
        }
    };
    tokio::select! {
        biased;
        Ok(result) = redirect => Ok(result),
        error = failure => Err(error),
        () = port.closed_for_another() => Err(replaced()),
        () = stopped => Err(Error::new(ErrorKind::Loopback, "the tokio runtime that served the address has shut down")),
    }
}

fn replaced() -> Error {
    Error::new(ErrorKind::Loopback, "a newer login has replaced this one")
}
