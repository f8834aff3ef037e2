//! Secret text, which is not printed and is zeroed when it is dropped.

mod character_set;

use std::fmt;

use zeroize::Zeroizing;

pub(crate) use self::character_set::CharacterSet;

/// A password, token, code or verifier that must not be printed.
///
/// `Debug` prints a placeholder, and there is no `Display`. Only [`Secret::expose`] gives access to the text.
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
