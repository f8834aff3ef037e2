//! One login of a person at this machine: browser, redirect, exchange, and the page that says how it went.

use std::time::Duration;

use super::callback::{self, Callback};
use super::listener::Listener;
use super::page::Page;
use super::{Authorization, AuthorizationCode};
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::grant::Grant;
use crate::token::Token;
use crate::transport::Transport;

/// How long a browser may take to fetch the last page.
const LAST_PAGE: Duration = Duration::from_secs(2);

#[cfg_attr(docsrs, doc(cfg(feature = "loopback")))]
impl Grant for AuthorizationCode {
    async fn obtain(&self, previous: Option<Token>, http: Transport) -> Result<Token, Error> {
        self.common.renew_or_log_in(previous, &http, self.loopback.relogin, || self.log_in(&http)).await
    }

    fn name(&self) -> &'static str {
        "authorization_code"
    }
}

impl AuthorizationCode {
    async fn log_in(&self, http: &Transport) -> Result<Token, Error> {
        let mut listener = Listener::open(&self.loopback).await?;
        let host = if self.loopback.localhost { "localhost" } else { "127.0.0.1" };
        let login = self.authorization_url(format!("http://{host}:{}{}", listener.port(), self.loopback.path))?;
        self.show(&login).await;
        let outcome = clock::within(self.loopback.timeout, self.wait(http, &mut listener, login)).await;
        let outcome = outcome.unwrap_or_else(|| {
            Err(Error::new(ErrorKind::LoginExpired, format!("nobody came back within {:?}", self.loopback.timeout)))
        });
        // The port is closed at once. The browser may still be reading, but nobody waits for that.
        tokio::spawn(clock::within(LAST_PAGE, listener.close()));
        outcome.map_err(Error::asked_in_vain)
    }

    /// Waits for the answer to this login. What is foreign is told so, and the wait goes on.
    async fn wait(&self, http: &Transport, listener: &mut Listener, login: Authorization) -> Result<Token, Error> {
        loop {
            let arrival = listener.arrival().await;
            let (outcome, answer) = match callback::read(&arrival.query, &login.expected) {
                Callback::Foreign(why) => {
                    let _ = arrival.answer.send(Page::foreign(400, why));
                    continue;
                }
                Callback::Refused(error) => (Err(error), arrival.answer),
                Callback::Code(code) => {
                    let exchange = self.exchange(http, login.with_code(code));
                    (listener.refuse_during(exchange).await, arrival.answer)
                }
            };
            let page = outcome.as_ref().map_or_else(Page::failure, |_| Page::success());
            let _ = answer.send(page);
            return outcome;
        }
    }

    /// Opens the person's browser, and tells the address to those who have none here.
    async fn show(&self, login: &Authorization) {
        let url = login.url();
        match &self.loopback.announce {
            Some(announce) => announce(url),
            None if self.loopback.browser.is_none() => eprintln!("To log in, open this address in a browser:\n{url}"),
            None => {}
        }
        match &self.loopback.browser {
            Some(browser) => browser(url),
            None => {
                let url = url.to_string();
                // It may wait for the browser to start. Where there is none, the person has the address.
                let _ = tokio::task::spawn_blocking(move || webbrowser::open(&url).is_ok()).await;
            }
        }
    }
}
