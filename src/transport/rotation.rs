//! A rotated refresh token from a response without a usable access token.

use std::fmt;
use std::sync::Arc;

use crate::secret::Secret;
use crate::sync::{Mutex, lock};

/// Keeps the newest refresh token of a response that had no usable access token, until the token cell or a store takes it.
///
/// The error of such a response cannot contain the refresh token, because errors contain no secrets.
#[derive(Clone, Default)]
pub(crate) struct Rotation(Arc<Mutex<Option<Rotated>>>);

struct Rotated {
    sent: Option<Secret>,
    new: Secret,
}

impl Rotation {
    /// Records that the server has replaced the refresh token `sent`.
    pub(crate) fn set(&self, sent: Option<Secret>, new: Secret) {
        *lock(&self.0) = Some(Rotated { sent, new });
    }

    /// Returns the refresh token that has replaced `sent`.
    pub(crate) fn replacement(&self, sent: Option<&str>) -> Option<Secret> {
        let rotated = lock(&self.0);
        let rotated = rotated.as_ref().filter(|rotated| rotated.sent.as_ref().map(Secret::expose) == sent)?;
        Some(rotated.new.clone())
    }
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation").finish_non_exhaustive()
    }
}
