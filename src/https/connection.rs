//! A connection of the client, as hyper requires it.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{self, Connected};

use super::proxy_connector::BaseStream;

/// A connection that an [`HttpsClient`](super::HttpsClient) has opened. It is public only so that its type can be named.
pub struct Connection {
    io: MaybeHttpsStream<BaseStream>,
    /// Whether a proxy forwards the requests, which then contain the absolute address.
    is_forwarded: bool,
}

impl Connection {
    pub(super) fn new(io: MaybeHttpsStream<BaseStream>, is_forwarded: bool) -> Self {
        Self { io, is_forwarded }
    }

    fn io(self: Pin<&mut Self>) -> Pin<&mut MaybeHttpsStream<BaseStream>> {
        Pin::new(&mut self.get_mut().io)
    }
}

impl connect::Connection for Connection {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.is_forwarded)
    }
}

impl Read for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.io().poll_read(cx, buffer)
    }
}

impl Write for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.io().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write_vectored(cx, bytes)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("is_forwarded", &self.is_forwarded).finish_non_exhaustive()
    }
}
