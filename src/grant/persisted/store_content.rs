//! Describes the content of a store, which may be unknown.

/// What the store holds under the key: an entry, or the version of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreContent<T> {
    /// The store was not read, or could not be read.
    Unknown,
    /// The store has no entry.
    Empty,
    Holds(T),
}

impl<T> StoreContent<T> {
    /// Converts the result of a load; `None` if it failed.
    pub(super) fn from_load(loaded: Option<Option<T>>) -> Self {
        match loaded {
            None => Self::Unknown,
            Some(None) => Self::Empty,
            Some(Some(value)) => Self::Holds(value),
        }
    }

    pub(super) fn as_ref(&self) -> StoreContent<&T> {
        match self {
            Self::Unknown => StoreContent::Unknown,
            Self::Empty => StoreContent::Empty,
            Self::Holds(value) => StoreContent::Holds(value),
        }
    }

    pub(super) fn map<R>(self, change: impl FnOnce(T) -> R) -> StoreContent<R> {
        match self {
            Self::Unknown => StoreContent::Unknown,
            Self::Empty => StoreContent::Empty,
            Self::Holds(value) => StoreContent::Holds(change(value)),
        }
    }

    /// Returns what the store is known to hold.
    pub(super) fn held(self) -> Option<T> {
        match self {
            Self::Holds(value) => Some(value),
            Self::Unknown | Self::Empty => None,
        }
    }
}

impl StoreContent<u64> {
    /// Returns the version in the store: zero if it has no entry, and `None` if that is unknown.
    pub(super) fn version(self) -> Option<u64> {
        match self {
            Self::Unknown => None,
            Self::Empty => Some(0),
            Self::Holds(version) => Some(version),
        }
    }
}
