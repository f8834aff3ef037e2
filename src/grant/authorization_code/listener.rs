//! The loopback address that the person's browser comes back to (RFC 8252 §7.3, §8.3).

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::loopback::Loopback;
use super::page::Page;
use crate::error::{Error, ErrorKind};

/// Open from its making to its drop, and with it go its connections.
pub(super) struct Listener {
    listeners: Vec<TcpListener>,
    port: u16,
    connections: JoinSet<()>,
    arrivals: (mpsc::Sender<Arrival>, mpsc::Receiver<Arrival>),
    path: String,
}

/// A request for the redirect's path: its query, and a way to say what the person shall see.
pub(super) struct Arrival {
    pub(super) query: String,
    pub(super) answer: oneshot::Sender<Page>,
}

impl Listener {
    /// Listens on the first of the ports that is free: on loopback only, and for `localhost` on both families.
    pub(super) async fn open(options: &Loopback) -> Result<Self, Error> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::new(ErrorKind::Loopback, "listening needs a tokio runtime"));
        }
        let mut last = None;
        let ports: &[u16] = if options.ports.is_empty() { &[0] } else { &options.ports };
        for port in ports {
            match bind(*port, options.localhost).await {
                Ok((listeners, port)) => {
                    let (connections, arrivals) = (JoinSet::new(), mpsc::channel(8));
                    return Ok(Self { listeners, port, connections, arrivals, path: options.path.clone() });
                }
                Err(error) => last = Some(error),
            }
        }
        let error = Error::new(ErrorKind::Loopback, format!("none of the ports {ports:?} is free"));
        Err(match last {
            Some(cause) => error.because(cause),
            None => error,
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The next request for the redirect's path. Connections live side by side: one that a browser opens ahead and leaves
    /// idle stops nobody.
    pub(super) async fn arrival(&mut self) -> Arrival {
        loop {
            let stream = tokio::select! {
                // The channel does not close: we hold a sender.
                Some(arrival) = self.arrivals.1.recv() => return arrival,
                Some(_) = self.connections.join_next(), if !self.connections.is_empty() => continue,
                stream = accept(&self.listeners) => stream,
            };
            let (arrivals, path) = (self.arrivals.0.clone(), self.path.clone());
            self.connections.spawn(serve(stream, arrivals, path));
        }
    }

    /// Waits for `future`; who comes meanwhile is told that there is nothing more to wait for.
    pub(super) async fn refuse_during<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        loop {
            tokio::select! {
                outcome = &mut future => return outcome,
                arrival = self.arrival() => {
                    let _ = arrival.answer.send(Page::foreign(400, "The answer to this login has come already."));
                }
            }
        }
    }

    /// Closes the port, and lets answers that are under way reach the browser: the future ends when they have.
    pub(super) fn close(self) -> impl Future<Output = ()> + Send {
        let mut connections = self.connections;
        async move { while connections.join_next().await.is_some() {} }
    }
}

/// One port, on one family or two. A port of which only one family is free is not ours: somebody else listens on the other.
async fn bind(port: u16, localhost: bool) -> io::Result<(Vec<TcpListener>, u16)> {
    // A free port of one family may be taken in the other: a few tries find one that is free in both.
    let tries = if port == 0 && localhost { 16 } else { 1 };
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..tries {
        let v4 = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let port = v4.local_addr()?.port();
        if !localhost {
            return Ok((vec![v4], port));
        }
        match TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
            Ok(v6) => return Ok((vec![v4, v6], port)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            // A machine without IPv6.
            Err(_) => return Ok((vec![v4], port)),
        }
    }
    Err(last)
}

/// The next connection on any of the listeners.
async fn accept(listeners: &[TcpListener]) -> TcpStream {
    std::future::poll_fn(|cx| {
        for listener in listeners {
            // A connection that broke before it was accepted is not worth a failed login.
            if let std::task::Poll::Ready(Ok((stream, _))) = listener.poll_accept(cx) {
                return std::task::Poll::Ready(stream);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

async fn serve(stream: TcpStream, arrivals: mpsc::Sender<Arrival>, path: String) {
    let service = service_fn(|request| {
        let page = page_for(request, &arrivals, &path);
        async move { Ok::<_, Infallible>(response(&page.await)) }
    });
    // A browser that goes away early has seen what it wanted.
    let _ = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
}

async fn page_for<B>(request: Request<B>, arrivals: &mpsc::Sender<Arrival>, path: &str) -> Page {
    if request.uri().path() != path {
        return Page::foreign(404, "There is nothing here.");
    }
    if request.method() != http::Method::GET {
        return Page::foreign(405, "This address is for redirects.");
    }
    let (answer, page) = oneshot::channel();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let sent = arrivals.send(Arrival { query, answer }).await;
    match (sent, page.await) {
        (Ok(()), Ok(page)) => page,
        _ => Page::foreign(410, "The login that this belongs to has ended."),
    }
}

fn response(page: &Page) -> Response<Full<Bytes>> {
    let response = Response::builder()
        .status(page.status)
        .header("content-type", "text/html; charset=utf-8")
        .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
        .header("referrer-policy", "no-referrer")
        .header("x-content-type-options", "nosniff")
        .header("cache-control", "no-store")
        .body(Full::from(page.html()));
    // All of it is written above.
    response.unwrap_or_default()
}
