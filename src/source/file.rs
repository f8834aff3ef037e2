//! Text in a file that another program replaces now and then.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::small_file::{cannot_read, read_small_file};
use super::{Source, SourceContext};
use crate::blocking::blocking;
use crate::error::{Error, ErrorKind};

/// A [`Source`] that reads a file for every token request: a mounted secret, or a workload's token of Kubernetes or SPIFFE.
///
/// It removes one line break at the end of the file, and nothing else. It opens the path each time, so it also sees a volume whose links
/// change.
///
/// ```
/// use tower_oauth2::{client::Client, source::File};
///
/// let client = Client::basic_from("id", File::new("/etc/oauth/secret"));
/// # let _ = client;
/// ```
///
/// # Errors
///
/// [`ErrorKind::Proof`] if the file cannot be read, is no regular file, is empty, is longer than 1 MiB or is not UTF-8. The error names the path, and nothing
/// of the content.
#[derive(Clone)]
pub struct File {
    reader: FileReader,
}

impl File {
    /// Names the file. It may be missing until the first token request.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { reader: FileReader::new(path.into()) }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("path", &self.reader.path()).finish()
    }
}

impl Source for File {
    async fn fetch(&self, _cx: SourceContext) -> Result<String, Error> {
        let mut text = self.reader.read().await?;
        for line_break in ["\r\n", "\n"] {
            if let Some(length) = text.strip_suffix(line_break).map(str::len) {
                text.truncate(length);
                break;
            }
        }
        if text.is_empty() {
            return Err(failed(self.reader.path(), "is empty"));
        }
        Ok(std::mem::take(&mut *text))
    }
}

/// Reads a whole file as text, one read after the other. Clones share the order.
///
/// A read of a network file system that is not available never returns, and its thread cannot be stopped. Each later read waits for it,
/// within the token timeout, instead of blocking a thread of its own.
#[derive(Clone)]
pub(super) struct FileReader {
    path: PathBuf,
    one_at_a_time: Arc<tokio::sync::Mutex<()>>,
}

impl FileReader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, one_at_a_time: Arc::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn read(&self) -> Result<Zeroizing<String>, Error> {
        let (owned, guard) = (self.path.clone(), self.one_at_a_time.clone().lock_owned().await);
        let reading = blocking(move || {
            let bytes = read_small_file(&owned, ErrorKind::Proof);
            drop(guard);
            Ok(bytes)
        });
        let path = self.path();
        let mut bytes = reading.await.map_err(|why| cannot_read(path, ErrorKind::Proof, why))??;
        String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(|_| failed(path, "is not UTF-8"))
    }
}

fn failed(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Proof, format!("the file `{}` {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// A read that hangs blocks one thread, and not one more with each attempt.
    #[tokio::test]
    async fn a_read_waits_for_the_one_before() {
        let reader = FileReader::new("/nowhere/secret".into());
        let hanging = reader.one_at_a_time.clone().lock_owned().await;
        assert!(reader.clone().read().now_or_never().is_none());
        drop(hanging);
        assert_eq!(reader.read().await.unwrap_err().kind(), ErrorKind::Proof);
    }
}
