//! Opens the port of one login. It stays open for a moment after the login, unless another login needs it.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::accept::Accept;
use super::owner::Owner;
use super::settings::Loopback;
use super::sockets::{self, Sockets};
use crate::error::{Error, ErrorKind};
use crate::sync::{Mutex, lock};

/// The open ports of this process. A login can close the port of another one that no longer needs it, because only a few are registered.
static OPEN_PORTS: LazyLock<Mutex<Vec<Weak<Port>>>> = LazyLock::new(Mutex::default);

/// A port, open until it is closed or dropped.
pub(super) struct Port {
    origin: String,
    number: u16,
    owner: Owner,
    /// Empty when the port is closed. Other threads can close it even if its runtime is idle.
    listeners: Mutex<Vec<TcpListener>>,
    /// Whether the login has ended.
    is_lingering: AtomicBool,
    is_closed_for_another: watch::Sender<bool>,
}

impl Port {
    /// Listens on the first free port of the options, on loopback addresses only; for `localhost` on both address families.
    ///
    /// Closes the port of a login that has ended, if it is needed, and ends an earlier login of the same owner. A cell starts a second
    /// login if it no longer uses the result of the first one, because a token was set or forgotten.
    pub(super) fn open(options: &Loopback, owner: Owner) -> Result<Arc<Self>, Error> {
        if Handle::try_current().is_err() {
            return Err(Error::new(ErrorKind::Loopback, "the login needs a tokio runtime to listen on a port"));
        }
        close_ports(|port| port.owner.is_same(&owner));
        let listen = |address: SocketAddr| {
            close_ports(|port| port.number == address.port() && port.is_lingering.load(Ordering::SeqCst));
            listen(address)
        };
        let Sockets { listeners, host, port: number } = sockets::open(&options.ports, options.localhost, listen)?;
        let port = Arc::new(Self {
            origin: format!("http://{host}:{number}"),
            number,
            owner,
            listeners: Mutex::new(listeners),
            is_lingering: AtomicBool::new(false),
            is_closed_for_another: watch::Sender::new(false),
        });
        let mut open = lock(&OPEN_PORTS);
        open.retain(|port| port.strong_count() > 0);
        open.push(Arc::downgrade(&port));
        Ok(port)
    }

    /// Returns the URL of a path, which is empty or has a leading slash.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(super) fn close(&self) {
        // Dropped without the lock, because the listeners own wakers.
        let _closed = std::mem::take(&mut *lock(&self.listeners));
    }

    /// Marks the login as ended, so that another one can use the port.
    pub(super) fn linger(&self) {
        self.is_lingering.store(true, Ordering::SeqCst);
    }

    /// Waits until another login has closed the port.
    pub(super) async fn closed_for_another(&self) {
        let _ = self.is_closed_for_another.subscribe().wait_for(|closed| *closed).await;
    }
}

impl Accept for Port {
    type Stream = TcpStream;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<TcpStream>>> {
        // Polling with the lock held is safe: the waker belongs to the server's task, which owns no waiter of the cell.
        let listeners = lock(&self.listeners);
        if listeners.is_empty() {
            return Poll::Ready(None);
        }
        let mut polled = Poll::Pending;
        for listener in listeners.iter() {
            match listener.poll_accept(cx) {
                Poll::Ready(Ok((stream, _))) => return Poll::Ready(Some(Ok(stream))),
                Poll::Ready(Err(error)) => polled = Poll::Ready(Some(Err(error))),
                Poll::Pending => {}
            }
        }
        polled
    }
}

/// Closes the ports for which `is_free` returns `true`, and ends their logins.
fn close_ports(is_free: impl Fn(&Port) -> bool) {
    // Dropped without the lock, because it may be the last reference.
    let open: Vec<_> = lock(&OPEN_PORTS).iter().filter_map(Weak::upgrade).collect();
    for port in open.iter().filter(|port| is_free(port)) {
        port.close();
        port.is_closed_for_another.send_replace(true);
    }
}

fn listen(address: SocketAddr) -> io::Result<(TcpListener, u16)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}
