//! A minimal HTTP/1.1 server: it writes the bytes of a response itself, so that it can break one at any byte.

use std::{future::Future, io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A connection to a client.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A request of a client.
pub(crate) struct RawRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl RawRequest {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The method and the address, as a proof names them, and the proofs.
    pub(crate) fn proven(&self) -> (&str, String, Vec<&str>) {
        let url = format!("http://{}{}", self.header("host").unwrap_or_default(), self.path);
        let proofs = self.headers.iter().filter(|(name, _)| name == "dpop").map(|(_, value)| value.as_str());
        (&self.method, url, proofs.collect())
    }
}

/// Listens on a free port of 127.0.0.1, and spawns a `handler` for each connection.
pub(crate) async fn listen<F>(handler: impl Fn(Connection) -> F + Send + 'static) -> io::Result<SocketAddr>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            // Without this the second write of a response would wait for an acknowledgement.
            if let Ok((stream, _)) = listener.accept().await
                && stream.set_nodelay(true).is_ok()
            {
                tokio::spawn(handler(Connection { stream, buffer: Vec::new() }));
            }
        }
    });
    Ok(address)
}

impl Connection {
    /// Waits until the client sends something, without reading it. Returns `false` if it closes the connection.
    pub(crate) async fn has_request(&self) -> bool {
        matches!(self.stream.peek(&mut [0]).await, Ok(1))
    }

    /// Reads the next request. Returns `None` if the client closes the connection.
    pub(crate) async fn read(&mut self) -> Option<RawRequest> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let (mut request, length) = parse_head(&String::from_utf8_lossy(&self.buffer[..end]))?;
        while self.buffer.len() < end + length {
            self.read_more().await?;
        }
        request.body = self.buffer[end..end + length].to_vec();
        self.buffer.drain(..end + length);
        Some(request)
    }

    async fn read_more(&mut self) -> Option<()> {
        let read = self.stream.read_buf(&mut self.buffer).await.ok()?;
        (read > 0).then_some(())
    }

    /// Writes a response. `head` is the status line and the headers without `content-length`.
    pub(crate) async fn write(&mut self, head: &str, body: &str) {
        self.write_cut(head, body, body.len()).await;
    }

    /// Announces the whole body, and closes the connection after half of it.
    pub(crate) async fn write_partial(mut self, head: &str, body: &str) {
        self.write_cut(head, body, body.len() / 2).await;
    }

    async fn write_cut(&mut self, head: &str, body: &str, sent: usize) {
        let response = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{}", body.len(), &body[..sent]);
        // The client may have closed the connection.
        let _ = self.stream.write_all(response.as_bytes()).await;
    }

    /// Resets the connection, as a crash does: even what was written may be lost.
    pub(crate) fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }

    /// Sends nothing until the client closes the connection.
    pub(crate) async fn stall(mut self) {
        while self.read_more().await.is_some() {}
    }
}

/// Parses the request without its body, and the length of the body.
fn parse_head(head: &str) -> Option<(RawRequest, usize)> {
    let mut lines = head.lines();
    let mut line = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (line.next()?, line.next()?);
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let request = RawRequest { method, path, headers, body: Vec::new() };
    let length = request.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    Some((request, length))
}
