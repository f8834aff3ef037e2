//! The connections to the port, bounded in number, time and size.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{AbortHandle, JoinSet};

use super::pending_login::PendingLogin;
use super::routes;
use crate::clock;

/// The maximum number of connections, more than a browser opens speculatively. Beyond it, the oldest one is closed.
const MAX_CONNECTIONS: usize = 64;

/// The maximum time until the header of a request has arrived.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum size of a request header. A code can have some thousand characters, and a browser sends the cookies that programs on
/// other ports of this host have set.
const MAX_HEADER_SIZE: usize = 64 * 1024;

/// The connections that are open. Dropping it closes them.
#[derive(Default)]
pub(super) struct Connections {
    tasks: JoinSet<()>,
    /// Ordered by age, the oldest first.
    open: Vec<OpenConnection>,
}

struct OpenConnection {
    task: AbortHandle,
    completes_login: Arc<AtomicBool>,
}

impl Connections {
    /// Serves a connection. If there are too many, closes the oldest one that has not completed the login, so that idle connections
    /// do not block a browser.
    pub(super) fn add<S>(&mut self, stream: S, login: Arc<PendingLogin>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        while self.tasks.try_join_next().is_some() {}
        self.open.retain(|connection| !connection.task.is_finished());
        if self.open.len() >= MAX_CONNECTIONS {
            let oldest = self.open.iter().position(|connection| !connection.completes_login.load(Ordering::Relaxed));
            self.open.remove(oldest.unwrap_or_default()).task.abort();
        }
        let completes_login = Arc::<AtomicBool>::default();
        let completes = completes_login.clone();
        let task = self.tasks.spawn(async move { serve(stream, &login, &completes).await });
        self.open.push(OpenConnection { task, completes_login });
    }
}

/// Serves one request of a connection.
async fn serve<S>(stream: S, login: &PendingLogin, completes_login: &AtomicBool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Dropped when the page has been sent.
    let open = OnceLock::new();
    let has_request = AtomicBool::new(false);
    let service = service_fn(|request| {
        has_request.store(true, Ordering::Relaxed);
        let response = routes::respond(request, login, &open);
        async { Ok::<_, Infallible>(response.await) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEADER_SIZE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut has_ended = false;
    let request = poll_fn(|cx| {
        // The connection ends early if the browser closes it.
        has_ended = connection.as_mut().poll(cx).is_ready();
        if has_ended || has_request.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    });
    if clock::within(HEADER_TIMEOUT, request).await.is_some() && !has_ended {
        completes_login.store(open.get().is_some(), Ordering::Relaxed);
        let _ = connection.await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::clock::Deadline;
    use crate::grant::authorization_code::callback::Expected;
    use crate::grant::authorization_code::expected_issuer::{ExpectedIssuer, IssuerRule};
    use crate::secret::Secret;

    fn login() -> Arc<PendingLogin> {
        let expected = ExpectedIssuer::OfOrigin("https://auth.example".into());
        let issuer = IssuerRule { expected, is_required: false, server: None };
        let expected = Expected { state: Secret::new("s1"), issuer, secrets: Vec::new() };
        Arc::new(PendingLogin::new(expected, "http://127.0.0.1:1/callback", None).0)
    }

    fn connect(connections: &mut Connections, login: &Arc<PendingLogin>) -> DuplexStream {
        let (browser, ours) = duplex(1024 * 1024);
        connections.add(ours, login.clone());
        browser
    }

    async fn response(stream: &mut DuplexStream) -> String {
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    }

    /// The paused clock advances only if all tasks wait, so a connection that ends here ends by the timeout.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_does_not_arrive_times_out() {
        let (login, mut connections) = (login(), Connections::default());
        for start in ["", "GET /callback?code=c&state=s1 HTTP/1.1\r\nHost: localhost\r\n"] {
            let timeout = Deadline::from_now(clock::now(), HEADER_TIMEOUT);
            let mut slow = connect(&mut connections, &login);
            slow.write_all(start.as_bytes()).await.unwrap();
            assert_eq!(response(&mut slow).await, "");
            assert!(timeout.passed(clock::now()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_browser_that_waits_for_its_page_does_not_time_out() {
        let (login, mut connections) = (login(), Connections::default());
        let mut browser = connect(&mut connections, &login);
        browser.write_all(b"GET /callback?code=c&state=s1 HTTP/1.1\r\n\r\n").await.unwrap();
        tokio::time::sleep(10 * HEADER_TIMEOUT).await;
        // Other connections do not close it either.
        let idle: Vec<_> = (0..2 * MAX_CONNECTIONS).map(|_| connect(&mut connections, &login)).collect();
        login.end(crate::grant::authorization_code::loopback::page::Page::success());
        assert!(response(&mut browser).await.starts_with("HTTP/1.1 200"));
        login.delivered().await;
        drop(idle);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_connection_is_closed_beyond_the_limit() {
        let (login, mut connections) = (login(), Connections::default());
        let mut idle: Vec<_> = (0..MAX_CONNECTIONS).map(|_| connect(&mut connections, &login)).collect();
        let timeout = Deadline::from_now(clock::now(), HEADER_TIMEOUT);
        let mut next = connect(&mut connections, &login);
        assert_eq!(response(&mut idle[0]).await, "");
        next.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(response(&mut next).await.starts_with("HTTP/1.1 404"));
        assert!(!timeout.passed(clock::now()), "the connection timed out instead");
        assert!(connections.open.len() <= MAX_CONNECTIONS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_that_is_too_large_is_rejected() {
        let (login, mut connections) = (login(), Connections::default());
        let mut endless = connect(&mut connections, &login);
        let header = format!("GET /callback HTTP/1.1\r\nCookie: {}", "x".repeat(2 * MAX_HEADER_SIZE));
        endless.write_all(header.as_bytes()).await.unwrap();
        assert!(response(&mut endless).await.starts_with("HTTP/1.1 431"));
    }
}
