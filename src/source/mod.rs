//! Secrets and proofs that are obtained for each token request: a file, a signed token, the token of another layer.
//!
//! A source of your own is a closure, or one `async fn`:
//!
//! ```
//! use tower_oauth2::{Error, ErrorKind, client::Client, source::source_fn};
//!
//! # async fn read_from_vault() -> std::io::Result<String> { Ok("s3cret".into()) }
//! let secret = source_fn(async |_cx| read_from_vault().await.map_err(|why| Error::caused_by(ErrorKind::Proof, why)));
//! let client = Client::basic_from("id", secret);
//! # let _ = client;
//! ```

pub(crate) mod claims;
mod fetch;
#[cfg(feature = "file-source")]
mod file;
#[cfg(all(feature = "file-source", feature = "jwt"))]
pub(crate) mod key_file;
mod request_claims;
#[cfg(feature = "file-source")]
mod small_file;
mod source_context;
mod source_fn;

pub use self::fetch::Source;
pub(crate) use self::fetch::{BoxSource, fetch_within_timeout};
#[cfg(feature = "file-source")]
pub use self::file::File;
#[cfg(all(feature = "file-source", feature = "https"))]
pub(crate) use self::small_file::read_small_file;
pub use self::source_context::SourceContext;
pub use self::source_fn::{SourceFn, source_fn};
