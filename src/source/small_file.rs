//! Reads a file that should be small: a secret, a token, a key or a certificate.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{BoxError, Error, ErrorKind};

/// A longer file is no secret, no token and no certificate.
const MAX_SIZE: u64 = 1024 * 1024;

/// Reads a whole file, which may be missing or replaced at any time. Blocks the thread.
///
/// # Errors
///
/// An error of `kind` that names the path, if the file cannot be read, is no regular file, or is longer than 1 MiB.
pub(crate) fn read_small_file(path: &Path, kind: ErrorKind) -> Result<Zeroizing<Vec<u8>>, Error> {
    let bytes = read_limited(path).map_err(|why| cannot_read(path, kind, why))?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(Error::new(kind, format!("the file `{}` is longer than 1 MiB", path.display())));
    }
    Ok(bytes)
}

/// Returns the error of a file that cannot be read.
pub(super) fn cannot_read(path: &Path, kind: ErrorKind, why: impl Into<BoxError>) -> Error {
    Error::new(kind, format!("cannot read `{}`", path.display())).with_source(why)
}

fn read_limited(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // Opening a pipe blocks until another program writes into it, and its content can be read only once.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no regular file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    fs::File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
