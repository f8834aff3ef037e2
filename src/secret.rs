//! Text that cannot be printed and is wiped when it is dropped.

use std::fmt;

use zeroize::Zeroizing;

/// A password, token, code or verifier.
///
/// `Debug` prints a placeholder, there is no `Display`, and reading it says so: [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
