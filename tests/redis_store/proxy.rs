//! A network that fails without an error.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::server::{PASSWORD, Redis};

/// A proxy between the store and the server.
pub(crate) struct Proxy {
    port: u16,
    silent: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn start(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = watch::Sender::new(false);
        let (server, state) = (format!("127.0.0.1:{}", redis.port()), silent.clone());
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let far = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(forward(near, far, state.subscribe()));
            }
        });
        Self { port, silent }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// Stops forwarding on existing connections. New connections work.
    pub(crate) fn go_silent(&self) {
        self.silent.send_replace(true);
    }

    /// Forwards the delayed data.
    pub(crate) fn deliver(&self) {
        self.silent.send_replace(false);
    }
}

async fn forward(mut near: TcpStream, mut far: TcpStream, mut silent: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => return,
            _ = silent.changed() => while *silent.borrow_and_update() {
                silent.changed().await.unwrap();
            }
        }
    }
}
