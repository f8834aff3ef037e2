//! The connection to the server: made when it is needed, shared by all commands, and made anew when it is lost.
//!
//! redis's own `ConnectionManager` is not used: the first command after each loss of the connection fails, and a lock that
//! fails makes two processes renew one token. And it is bound to the runtime that it was made in.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream as _;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, RedisResult};
use tokio::sync::Mutex as Turn;

use crate::clock;
use crate::error::BoxError;

#[derive(Clone)]
pub(super) struct Link {
    client: Client,
    /// How long one command may take, with all that it needs.
    pub(super) deadline: Duration,
    shared: Arc<Turn<Shared>>,
}

/// The connection, if there is one. It lives in the runtime that it was made in.
#[derive(Default)]
struct Shared {
    connection: Option<MultiplexedConnection>,
    /// How many there have been before.
    lost: u64,
}

/// A connection that hears what is published.
pub(super) struct Ear {
    stream: PubSubStream,
    sink: PubSubSink,
    deadline: Duration,
}

// ===== impl Link =====

impl Link {
    pub(super) fn new(client: Client) -> Self {
        Self { client, deadline: Duration::from_secs(2), shared: Arc::default() }
    }

    /// Sends a command. It may be sent twice, when the connection is lost meanwhile: each of ours bears that.
    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BoxError> {
        self.within(self.attempt(command)).await
    }

    pub(super) async fn subscribe(&self, channel: &str) -> Result<Ear, BoxError> {
        let deadline = self.deadline;
        let subscribing = async {
            let (mut sink, stream) = self.client.get_async_pubsub().await?.split();
            sink.subscribe(channel).await?;
            Ok(Ear { stream, sink, deadline })
        };
        self.within(subscribing).await
    }

    /// Host and port, or the path of the socket. It holds no password.
    pub(super) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    async fn within<T>(&self, work: impl Future<Output = RedisResult<T>>) -> Result<T, BoxError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err("a Redis store works in a tokio runtime only".into());
        }
        match clock::within(self.deadline, work).await {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(format!("Redis at {}: {}", self.address(), said(&error)).into()),
            None => {
                // It may be half open, which would not show for many minutes. Who has the turn is just making another.
                if let Ok(mut shared) = self.shared.try_lock() {
                    shared.hang_up();
                }
                Err(format!("Redis at {}: no answer within {:?}", self.address(), self.deadline).into())
            }
        }
    }

    async fn attempt<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        loop {
            let (mut connection, number, is_new) = self.connection().await?;
            match command.query_async(&mut connection).await {
                Err(error) if is_lost(&error) => {
                    let mut shared = self.shared.lock().await;
                    if shared.lost == number {
                        shared.hang_up();
                    }
                    if is_new {
                        return Err(error);
                    }
                    // It had died while nobody looked: an idle one is cut off, or the server was restarted.
                }
                outcome => return outcome,
            }
        }
    }

    /// The connection, the how-manieth it is, and whether it was made just now.
    async fn connection(&self) -> RedisResult<(MultiplexedConnection, u64, bool)> {
        let mut shared = self.shared.lock().await;
        if let Some(connection) = &shared.connection {
            return Ok((connection.clone(), shared.lost, false));
        }
        // There is one deadline, and it is ours.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok((shared.connection.insert(connection).clone(), shared.lost, true))
    }
}

impl Shared {
    fn hang_up(&mut self) {
        self.connection = None;
        self.lost += 1;
    }
}

/// Whether another connection may do better. One that has become a replica counts: the primary has moved.
fn is_lost(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || error.code() == Some("READONLY")
}

/// What the server or the system said, less what it repeats of a command: that may be a token.
fn said(error: &RedisError) -> String {
    let text = error.to_string();
    text.split(", with args").next().unwrap_or_default().to_owned()
}

// ===== impl Ear =====

impl Ear {
    /// What is published next; `None` when the connection is lost.
    pub(super) async fn next(&mut self) -> Option<String> {
        let message = poll_fn(|cx| Pin::new(&mut self.stream).poll_next(cx)).await?;
        Some(message.get_payload().unwrap_or_default())
    }

    /// Whether there is still somebody at the other end.
    pub(super) async fn is_connected(&mut self) -> bool {
        clock::within(self.deadline, self.sink.ping::<redis::Value>()).await.is_some_and(|pong| pong.is_ok())
    }
}
