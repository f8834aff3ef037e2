//! A relay between client and server. It can drop all bytes without closing the connections, as a firewall does after it has dropped their
//! state.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    /// For each connection, whether its bytes are dropped.
    drops: Arc<Mutex<Vec<Arc<AtomicBool>>>>,
    closed: mpsc::UnboundedReceiver<()>,
    messages: mpsc::UnboundedReceiver<()>,
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (close, closed) = mpsc::unbounded_channel();
        let (message, messages) = mpsc::unbounded_channel();
        let relay = Self { address: listener.local_addr().unwrap(), drops: Arc::default(), closed, messages };
        let drops = relay.drops.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let drop_bytes = Arc::new(AtomicBool::new(false));
                drops.lock().unwrap().push(drop_bytes.clone());
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = TcpStream::connect(server).await.unwrap().into_split();
                tokio::spawn(pass(from_server, to_client, drop_bytes.clone(), || ()));
                let (close, message) = (close.clone(), message.clone());
                tokio::spawn(async move {
                    pass(from_client, to_server, drop_bytes, || {
                        let _ = message.send(());
                    })
                    .await;
                    let _ = close.send(());
                });
            }
        });
        relay
    }

    /// Drops all further bytes of the existing connections, which stay open.
    pub(crate) fn drop_all_bytes(&self) {
        for drop_bytes in self.drops.lock().unwrap().iter() {
            drop_bytes.store(true, Ordering::SeqCst);
        }
    }

    /// Waits until the client closes a connection.
    pub(crate) async fn closed(&mut self) {
        self.closed.recv().await.unwrap();
    }

    /// Waits until the client has sent several more messages.
    pub(crate) async fn several_messages(&mut self) {
        while self.messages.try_recv().is_ok() {}
        for _ in 0..5 {
            self.messages.recv().await.unwrap();
        }
    }

    /// Returns the number of connections that were opened.
    pub(crate) fn connections(&self) -> usize {
        self.drops.lock().unwrap().len()
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    drop_bytes: Arc<AtomicBool>,
    passed: impl Fn(),
) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        passed();
        if !drop_bytes.load(Ordering::SeqCst) && to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
