//! The errors of the stores, and which of them are permanent.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, ErrorKind};

#[cfg(any(feature = "file-store", feature = "keyring-store"))]
use super::local_fs::FsError;
use crate::error::BoxError;

/// Marks an error of a [`TokenStore`](super::TokenStore) as permanent: waiting does not help, as with a damaged entry.
///
/// Requests then fail at once instead of waiting for the store, and the error is not [transient](crate::Error::is_transient). Missing
/// permissions, invalid paths and JSON that cannot be parsed are recognized without this marker. It prints as the error that it wraps.
///
/// ```
/// use tower::BoxError;
/// use tower_oauth2::store::PermanentError;
///
/// fn open(url: &str) -> Result<(), BoxError> {
///     match url {
///         "" => Err(PermanentError::new("the database has no name").into()),
///         _ => Ok(()),
///     }
/// }
///
/// assert_eq!(open("").unwrap_err().to_string(), "the database has no name");
/// ```
pub struct PermanentError(BoxError);

impl PermanentError {
    /// Wraps an error of a store. The error must not contain a secret.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self(source.into())
    }

    /// Creates a boxed error.
    #[cfg(any(test, feature = "file-store", feature = "keyring-store"))]
    pub(super) fn boxed(source: impl Into<BoxError>) -> BoxError {
        Self::new(source).into()
    }

    /// Returns a permanent error with a text of this crate, which can be logged.
    #[cfg(any(feature = "file-store", feature = "keyring-store", feature = "redis-store"))]
    pub(super) fn message(text: impl Into<String>) -> BoxError {
        Self::new(StoreError(text.into())).into()
    }
}

impl fmt::Debug for PermanentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PermanentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for PermanentError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// An error whose message is written by this crate. It contains no secret, so it can be logged.
#[derive(Debug)]
pub(super) struct StoreError(String);

impl StoreError {
    pub(super) fn boxed(text: impl Into<String>) -> BoxError {
        Self(text.into()).into()
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for StoreError {}

/// Returns the part of an error that can be logged: a message of this crate's stores or the kind of a system error. The message of a
/// custom store may contain anything.
pub(crate) fn loggable_cause(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(PermanentError(error)) = error.downcast_ref() {
        return loggable_cause(&**error);
    }
    if let Some(StoreError(text)) = error.downcast_ref() {
        return Some(text.clone());
    }
    #[cfg(any(feature = "file-store", feature = "keyring-store"))]
    if let Some(error) = error.downcast_ref::<FsError>() {
        return Some(format!("{error}: {}", error.kind()));
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return Some(error.kind().to_string());
    }
    if error.is::<serde_json::Error>() {
        return Some("the stored entry is not JSON of the expected form".to_owned());
    }
    error.source().and_then(loggable_cause)
}

/// Returns whether this error or one of its sources is permanent.
pub(crate) fn is_permanent(error: &(dyn StdError + 'static)) -> bool {
    error.is::<PermanentError>()
        || error.downcast_ref::<io::Error>().is_some_and(|error| is_permanent_kind(error.kind()))
        || error.downcast_ref::<serde_json::Error>().is_some_and(|error| !error.is_io())
        || error.source().is_some_and(is_permanent)
}

fn is_permanent_kind(kind: ErrorKind) -> bool {
    use ErrorKind::{InvalidFilename, InvalidInput, IsADirectory, NotADirectory};
    use ErrorKind::{PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(kind, InvalidFilename | InvalidInput | IsADirectory | NotADirectory)
        || matches!(kind, PermissionDenied | ReadOnlyFilesystem | Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permanent_errors_are_recognized() {
        let json = serde_json::from_str::<u8>("{").unwrap_err();
        for (error, expected) in [
            (PermanentError::boxed("damaged"), true),
            (PermanentError::boxed(io::Error::other("damaged")), true),
            (io::Error::from(ErrorKind::PermissionDenied).into(), true),
            (io::Error::from(ErrorKind::InvalidFilename).into(), true),
            (crate::error::Error::caused_by(crate::ErrorKind::Store, PermanentError::new("damaged")).into(), true),
            (json.into(), true),
            (io::Error::from(ErrorKind::StorageFull).into(), false),
            ("unreachable".into(), false),
        ] {
            let error: BoxError = error;
            assert_eq!(is_permanent(&*error), expected, "{error}");
        }
    }

    #[test]
    fn errors_of_this_crate_can_be_logged_and_others_cannot() {
        let cause = |error: BoxError| loggable_cause(&*error);
        assert_eq!(cause(StoreError::boxed("it is locked")).as_deref(), Some("it is locked"));
        assert_eq!(cause(PermanentError::boxed(StoreError::boxed("damaged"))).as_deref(), Some("damaged"));
        assert_eq!(cause(io::Error::from(ErrorKind::StorageFull).into()).as_deref(), Some("no storage space"));
        assert_eq!(cause("hunter2".into()), None);
        assert_eq!(cause(PermanentError::boxed("hunter2")), None);
        #[cfg(feature = "file-store")]
        {
            let denied = io::Error::from(ErrorKind::PermissionDenied);
            let error = crate::store::local_fs::failed("open", "/x/token.json".as_ref())(denied);
            assert_eq!(cause(error.into()).as_deref(), Some("cannot open `/x/token.json`: permission denied"));
        }
    }
}
