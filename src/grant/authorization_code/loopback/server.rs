//! Serves the port of one login, in its own task, so that the login and the browser do not wait for each other.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::accept::accept;
use super::connections::Connections;
use super::page::Page;
use super::pending_login::PendingLogin;
use super::port::Port;
use crate::clock;

/// The time for which the port stays open after the login, because a browser may fetch the page again.
const LINGER: Duration = Duration::from_secs(5);

/// The maximum time for which the login waits until the browser has received the page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// The task that serves the port. It ends when this is dropped, or shortly after the login has ended.
pub(super) struct Server {
    port: Arc<Port>,
    login: Arc<PendingLogin>,
    task: JoinHandle<()>,
    has_ended: bool,
}

impl Server {
    /// Spawns the task. Requires a tokio runtime, as [`Port::open`] does.
    pub(super) fn start(port: Arc<Port>, login: PendingLogin) -> Self {
        let login = Arc::new(login);
        let task = tokio::spawn(run(port.clone(), login.clone()));
        Self { port, login, task, has_ended: false }
    }

    pub(super) fn login(&self) -> &PendingLogin {
        &self.login
    }

    /// Waits until the port is no longer served, because the runtime of the server has shut down.
    pub(super) async fn stopped(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Ends the login with this page, and waits until the browser has received it, because a program may exit right after its login.
    pub(super) async fn end(mut self, page: Page) {
        self.has_ended = true;
        self.port.linger();
        self.login.end(page);
        clock::within(PAGE_TIMEOUT, self.login.delivered()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.has_ended {
            self.port.close();
            self.task.abort();
        }
    }
}

async fn run(port: Arc<Port>, login: Arc<PendingLogin>) {
    let serve = async {
        let mut connections = Connections::default();
        while let Some(stream) = accept(&*port).await {
            connections.add(stream, login.clone());
            // Lets open connections read their requests before the next one is accepted, so that many connections block none.
            tokio::task::yield_now().await;
        }
        // Another login has closed the port. The open connections are served until the end.
        std::future::pending::<()>().await;
    };
    let end = async {
        login.page().await;
        clock::sleep(LINGER).await;
    };
    tokio::select! {
        () = serve => {}
        () = end => {}
    }
    port.close();
}
