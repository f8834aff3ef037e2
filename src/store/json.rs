//! Entries as JSON. Every entry that is written can be read again.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};
use zeroize::Zeroizing;

use super::PermanentError;
use crate::error::BoxError;

/// The maximum size of an entry, in bytes of JSON. The default maximum size of a token response is a quarter of it.
pub(super) const MAX_SIZE: usize = 4 * 1024 * 1024;

const TOO_LONG: &str = "the token cannot be stored: as JSON it has more than 4 MiB; nothing was changed";
const UNREADABLE: &str = "the token cannot be stored: a member of the token response is nested too deeply to be read again; nothing was changed";

/// Serializes an entry to JSON, and checks with `read` that it can be read again.
///
/// # Errors
///
/// If the JSON is too long or nested too deeply. If it were saved nevertheless, the token would be lost.
pub(super) fn write<T, E>(
    value: &impl Serialize,
    read: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    readable(formatted(value, CompactFormatter)?, read)
}

/// Writes indented JSON, or the form of [`write`] if the indented form is too long.
#[cfg(feature = "file-store")]
pub(super) fn write_pretty<T, E>(
    value: &impl Serialize,
    read: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    match formatted(value, serde_json::ser::PrettyFormatter::new()) {
        Ok(pretty) => readable(pretty, read),
        Err(_) => write(value, read),
    }
}

/// Deserializes an entry. Unlike errors of serde_json, the error does not repeat any of the content.
#[cfg(any(feature = "keyring-store", feature = "redis-store"))]
pub(super) fn read<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, BoxError> {
    serde_json::from_slice(json).map_err(|why| {
        let why = format!("the stored token is not understood ({:?}); clear it, and log in again", why.classify());
        PermanentError::message(why)
    })
}

fn readable<T, E>(
    content: Zeroizing<Vec<u8>>,
    read: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    match read(&content) {
        Ok(_) => Ok(content),
        Err(_) => Err(PermanentError::message(UNREADABLE)),
    }
}

fn formatted(value: &impl Serialize, formatter: impl Formatter) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    let mut limited = Limited::default();
    match value.serialize(&mut serde_json::Serializer::with_formatter(&mut limited, formatter)) {
        Ok(()) => Ok(limited.0),
        Err(why) if why.is_io() => Err(PermanentError::message(TOO_LONG)),
        Err(why) => Err(why.into()),
    }
}

#[derive(Default)]
struct Limited(Zeroizing<Vec<u8>>);

impl Write for Limited {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if part.len() > MAX_SIZE - self.0.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
