//! HTTP/1.1 by hand: only whoever writes the bytes of an answer can break it anywhere.

use std::{future::Future, io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A connection to a client.
pub(crate) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// What a client asks.
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Opens a free port of 127.0.0.1, and leaves each connection to a `handler` of its own.
pub(crate) async fn listen<F>(handler: impl Fn(Wire) -> F + Send + 'static) -> io::Result<SocketAddr>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            // Without this an answer that comes in two pieces would wait for an acknowledgement.
            if let Ok((stream, _)) = listener.accept().await
                && stream.set_nodelay(true).is_ok()
            {
                tokio::spawn(handler(Wire { stream, unread: Vec::new() }));
            }
        }
    });
    Ok(address)
}

impl Wire {
    /// Waits until the client says something, and leaves it unread; `false` when it hangs up.
    pub(crate) async fn is_spoken_to(&self) -> bool {
        matches!(self.stream.peek(&mut [0]).await, Ok(1))
    }

    /// The next request; `None` when the client hangs up.
    pub(crate) async fn read(&mut self) -> Option<Asked> {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let (mut asked, length) = read_head(&String::from_utf8_lossy(&self.unread[..end]))?;
        while self.unread.len() < end + length {
            self.read_more().await?;
        }
        asked.body = self.unread[end..end + length].to_vec();
        self.unread.drain(..end + length);
        Some(asked)
    }

    async fn read_more(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.unread).await.ok()?;
        (read > 0).then_some(())
    }

    /// Answers. `head` is the status line and the headers but for the length of the body.
    pub(crate) async fn write(&mut self, head: &str, body: &str) {
        self.write_cut(head, body, body.len()).await;
    }

    /// Promises the whole body, and hangs up after half of it.
    pub(crate) async fn write_half(mut self, head: &str, body: &str) {
        self.write_cut(head, body, body.len() / 2).await;
    }

    async fn write_cut(&mut self, head: &str, body: &str, sent: usize) {
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{}", body.len(), &body[..sent]);
        // A client that has gone is no concern of the server.
        let _ = self.stream.write_all(answer.as_bytes()).await;
    }

    /// Resets the connection, as a crash does: not even what was written may arrive.
    pub(crate) fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }

    /// Says nothing until the client hangs up.
    pub(crate) async fn stall(mut self) {
        while self.read_more().await.is_some() {}
    }
}

/// The request but for its body, and how long that is.
fn read_head(head: &str) -> Option<(Asked, usize)> {
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let asked = Asked { path, headers, body: Vec::new() };
    let length = asked.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    Some((asked, length))
}
