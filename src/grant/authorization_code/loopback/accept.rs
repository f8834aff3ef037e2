//! Accepts connections until the port is closed, and retries after errors.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock;

/// The pause after an error. Most errors are temporary: `EMFILE` lasts until a file is closed, `ECONNABORTED` concerns one connection.
const PAUSE: Duration = Duration::from_millis(100);

/// A listener that accepts connections. Tests implement it with a script.
pub(super) trait Accept {
    type Stream;

    /// Polls for the next connection. `None` means that the listener is closed. After an error, the waker is not registered.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Self::Stream>>>;
}

/// Waits for the next connection. Returns `None` if the listener is closed.
pub(super) async fn accept<A: Accept>(listener: &A) -> Option<A::Stream> {
    loop {
        match poll_fn(|cx| listener.poll_accept(cx)).await? {
            Ok(stream) => return Some(stream),
            // The kernel repeats the error while its cause lasts, so without a pause this would be a busy loop.
            Err(_) => clock::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;
    use crate::clock::Deadline;

    /// The results of the calls of `accept`. After the last one, the listener is closed.
    struct ScriptedListener(Mutex<VecDeque<io::Result<u8>>>);

    impl Accept for ScriptedListener {
        type Stream = u8;

        fn poll_accept(&self, _: &mut Context<'_>) -> Poll<Option<io::Result<u8>>> {
            Poll::Ready(self.0.lock().unwrap().pop_front())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_followed_by_a_pause_and_another_attempt() {
        // Linux: EMFILE, ENFILE, ECONNABORTED, EPROTO.
        let errors = [24, 23, 103, 71].map(|code| Err(io::Error::from_raw_os_error(code)));
        let script = ScriptedListener(Mutex::new(
            errors.into_iter().chain([Ok(1), Err(io::ErrorKind::Other.into()), Ok(2)]).collect(),
        ));
        let pauses = Deadline::from_now(clock::now(), 4 * PAUSE);
        assert_eq!(accept(&script).await, Some(1));
        assert!(pauses.passed(clock::now()));
        assert_eq!(accept(&script).await, Some(2));
        assert_eq!(accept(&script).await, None);
    }
}
