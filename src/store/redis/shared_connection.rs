//! The connection to the server: established on demand, shared by all commands, and replaced when it is lost.
//!
//! The `ConnectionManager` of the redis crate is not used: with it, the first command after each loss of the connection fails, and a
//! lock that fails lets two processes refresh one token. It is also bound to the runtime in which it was created.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream as _;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult};
use tokio::runtime::Handle;
use tokio::sync::Mutex as AsyncMutex;

use crate::clock;
use crate::error::BoxError;
use crate::store::store_error::{PermanentError, StoreError};
use crate::sync::{Mutex, lock};

#[derive(Clone)]
pub(super) struct SharedConnection {
    client: Client,
    /// The timeout of one command, including the time to connect.
    pub(super) timeout: Duration,
    shared: Arc<ConnectionState>,
}

#[derive(Default)]
struct ConnectionState {
    slot: Mutex<CurrentConnection>,
    /// Held while connecting, so that concurrent commands establish one connection.
    connecting: AsyncMutex<()>,
}

/// The connection, if there is one. It is driven by the runtime in which it was established.
#[derive(Default)]
struct CurrentConnection {
    connection: Option<MultiplexedConnection>,
    /// The number of connections before this one.
    lost: u64,
}

/// A connection that is subscribed to a channel.
pub(super) struct PubSub {
    stream: PubSubStream,
    sink: PubSubSink,
    timeout: Duration,
}

// ===== impl SharedConnection =====

impl SharedConnection {
    pub(super) fn new(client: Client) -> Self {
        Self { client, timeout: Duration::from_secs(2), shared: Arc::default() }
    }

    /// Sends a command. If the connection is lost, the command is sent a second time; all commands of the store are idempotent.
    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BoxError> {
        self.within(self.attempt(command)).await
    }

    pub(super) async fn subscribe(&self, channel: &str) -> Result<PubSub, BoxError> {
        let timeout = self.timeout;
        let subscribing = async {
            let (mut sink, stream) = self.client.get_async_pubsub().await?.split();
            sink.subscribe(channel).await?;
            Ok(PubSub { stream, sink, timeout })
        };
        self.within(subscribing).await
    }

    /// Returns host and port or the path of the socket, without the password.
    pub(super) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    async fn within<T>(&self, work: impl Future<Output = RedisResult<T>>) -> Result<T, BoxError> {
        runtime()?;
        match clock::within(self.timeout, work).await {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => {
                let text = format!("Redis at {}: {}", self.address(), message(&error));
                Err(if is_permanent(&error) { PermanentError::message(text) } else { StoreError::boxed(text) })
            }
            None => {
                // The connection may be half open, which would go unnoticed for many minutes.
                self.shared.reset(None);
                Err(StoreError::boxed(format!("Redis at {}: no response within {:?}", self.address(), self.timeout)))
            }
        }
    }

    async fn attempt<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        loop {
            let (mut connection, number, is_new) = self.connection().await?;
            match command.query_async(&mut connection).await {
                Err(error) if is_lost(&error) => {
                    self.shared.reset(Some(number));
                    if is_new {
                        return Err(error);
                    }
                    // An older connection was lost while idle, or the server was restarted.
                }
                outcome => return outcome,
            }
        }
    }

    /// Returns the connection, its number, and whether it is new.
    async fn connection(&self) -> RedisResult<(MultiplexedConnection, u64, bool)> {
        if let Some((connection, number)) = self.shared.current() {
            return Ok((connection, number, false));
        }
        // The task that is connecting may belong to a runtime that makes no progress. After half of the timeout, this command connects
        // as well.
        let _connecting = clock::within(self.timeout / 2, self.shared.connecting.lock()).await;
        if let Some((connection, number)) = self.shared.current() {
            return Ok((connection, number, false));
        }
        // The store has its own timeout.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let number = self.shared.set(connection.clone());
        Ok((connection, number, true))
    }
}

/// Returns the current runtime.
///
/// # Errors
///
/// If there is none, which is permanent.
pub(super) fn runtime() -> Result<Handle, BoxError> {
    Handle::try_current().map_err(|_| PermanentError::message("a Redis store requires a tokio runtime"))
}

// ===== impl ConnectionState =====

impl ConnectionState {
    fn current(&self) -> Option<(MultiplexedConnection, u64)> {
        let slot = lock(&self.slot);
        Some((slot.connection.clone()?, slot.lost))
    }

    /// Stores the connection, and returns its number.
    fn set(&self, connection: MultiplexedConnection) -> u64 {
        let mut slot = lock(&self.slot);
        let replaced = slot.connection.replace(connection);
        let number = slot.lost;
        drop(slot);
        drop(replaced);
        number
    }

    /// Drops the connection if it has this number; `None` is any connection.
    fn reset(&self, number: Option<u64>) {
        let mut slot = lock(&self.slot);
        if number.is_some_and(|number| number != slot.lost) {
            return;
        }
        slot.lost += 1;
        let connection = slot.connection.take();
        drop(slot);
        drop(connection);
    }
}

/// Returns whether a new connection may help. This includes a server that has become a replica, because the primary has moved.
fn is_lost(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || error.code() == Some("READONLY")
}

/// Returns whether the error is permanent: a wrong password, missing permissions, or a key of another program.
fn is_permanent(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM" | "WRONGTYPE"))
        || error.detail().is_some_and(|text| SCRIPT_DENIED.iter().any(|denied| text.contains(denied)))
}

/// Parts of the messages for a script without permission, which have no error code of their own.
const SCRIPT_DENIED: [&str; 2] = ["The user executing the script can't", "ACL failure in script"];

/// Returns the message of an error without the arguments of the command, which may contain a token.
fn message(error: &RedisError) -> String {
    let text = error.to_string();
    text.split(", with args").next().unwrap_or_default().to_owned()
}

// ===== impl PubSub =====

impl PubSub {
    /// Returns the next message, or `None` if the connection is lost.
    pub(super) async fn next(&mut self) -> Option<String> {
        let message = poll_fn(|cx| Pin::new(&mut self.stream).poll_next(cx)).await?;
        Some(message.get_payload().unwrap_or_default())
    }

    /// Returns whether the server still responds.
    pub(super) async fn is_connected(&mut self) -> bool {
        clock::within(self.timeout, self.sink.ping::<redis::Value>()).await.is_some_and(|pong| pong.is_ok())
    }
}
