//! Checks the claims of the README and of the landing page.

mod claims;
#[cfg(feature = "https")]
mod package;
mod page;
#[cfg(all(feature = "https", feature = "jwt", feature = "loopback"))]
mod protocols;
