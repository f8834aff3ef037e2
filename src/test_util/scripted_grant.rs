//! A grant that answers with what a test says, one answer after the other.

use std::collections::VecDeque;
use std::fmt;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::{Call, ScriptedError};
use crate::clock;
use crate::error::{Error, ErrorKind};
use crate::grant::Grant;
use crate::sync::{Mutex, lock};
use crate::token::Token;
use crate::transport::Transport;

/// A grant that answers with what the test says, in that order, and without the network. Clones are the same script: one goes
/// into the layer, and with the other the test goes on.
///
/// ```
/// # use bytes::Bytes;
/// # use http_body_util::Full;
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, test_util::ScriptedGrant};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), tower::BoxError> {
/// // Stands for the API: it says what it was sent.
/// let api = service_fn(async |request: http::Request<Full<Bytes>>| {
///     let sent = request.headers()["authorization"].to_str()?.to_owned();
///     Ok::<_, tower::BoxError>(http::Response::new(sent))
/// });
/// let request = || http::Request::get("https://api.example.com/").body(Full::default());
///
/// let script = ScriptedGrant::new().fail(ErrorKind::Overloaded).token(Token::bearer("a")?);
/// let client = OAuth2Layer::new(script.clone()).layer(api);
///
/// let error = client.clone().oneshot(request()?).await.unwrap_err().downcast::<Error>()?;
/// assert_eq!(error.kind(), ErrorKind::Overloaded);
/// tokio::time::sleep(Duration::from_secs(2)).await; // back-off; time is paused
/// assert_eq!(client.oneshot(request()?).await?.into_body(), "Bearer a");
/// assert_eq!((script.calls().len(), script.left()), (2, 0));
/// # Ok(())
/// # }
/// ```
///
/// # When the script has ended
///
/// A call that there is no answer for gets an [`ErrorKind::Configuration`] which says so, with the number of the call. It is an
/// error and no panic, because the layer turns a panic of a grant into [`ErrorKind::Panicked`], and the test would not
/// learn why. Where the code under test swallows errors, compare the number of [`calls`](Self::calls) at the end.
#[derive(Clone)]
pub struct ScriptedGrant {
    script: Arc<Script>,
}

struct Script {
    lines: Mutex<Lines>,
    calls: watch::Sender<Vec<Call>>,
    releases: Semaphore,
}

#[derive(Default)]
struct Lines {
    answers: VecDeque<Line>,
    /// What was said about the next answer.
    is_held: bool,
    after: Duration,
}

struct Line {
    is_held: bool,
    after: Duration,
    answer: Result<Token, Error>,
}

impl ScriptedGrant {
    /// A script without answers.
    pub fn new() -> Self {
        let (lines, releases) = (Mutex::default(), Semaphore::new(0));
        Self { script: Arc::new(Script { lines, calls: watch::Sender::new(Vec::new()), releases }) }
    }

    /// The next answer is this token. Its lifetime counts from when it is made, not from when it is given.
    pub fn token(self, token: Token) -> Self {
        self.answer(Ok(token))
    }

    /// The next answer is this error: an [`ErrorKind`], a [`ScriptedError`] with more to it, or an [`Error`] of your own.
    pub fn fail(self, error: impl Into<ScriptedError>) -> Self {
        self.answer(Err(error.into().into()))
    }

    /// The answer that is given next in the script waits for a [`release`](Self::release).
    ///
    /// ```
    /// use tower::{Layer, service_fn};
    /// use tower_oauth2::{OAuth2Layer, Token, test_util::ScriptedGrant};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower::BoxError> {
    /// let script = ScriptedGrant::new().held().token(Token::bearer("a")?);
    /// let no_network = service_fn(async |_| Err::<http::Response<String>, _>("none"));
    /// let tokens = OAuth2Layer::new(script.clone()).token_service(no_network).tokens();
    ///
    /// let waiting = tokio::spawn(async move { tokens.get().await });
    /// script.asked(1).await;
    /// assert!(!waiting.is_finished());
    /// script.release();
    /// assert_eq!(waiting.await??.access_token(), "a");
    /// # Ok(())
    /// # }
    /// ```
    pub fn held(self) -> Self {
        lock(&self.script.lines).is_held = true;
        self
    }

    /// The answer that is given next in the script takes so long, by the monotonic clock: with a paused runtime it costs the
    /// test no time. Of an answer that is [held](Self::held) too, it is the time after the release.
    pub fn after(self, time: Duration) -> Self {
        lock(&self.script.lines).after = time;
        self
    }

    /// Lets the one that is held go on, or the next that comes to be: each release is good for one.
    pub fn release(&self) {
        self.script.releases.add_permits(1);
    }

    /// What it was asked so far, in order. A call that is held counts.
    pub fn calls(&self) -> Vec<Call> {
        self.script.calls.borrow().clone()
    }

    /// Waits until it has been asked `count` times in all.
    ///
    /// If it never is, this never ends: put it into a `tokio::time::timeout` where that is what the test is about.
    ///
    /// # Cancel safety
    ///
    /// It only looks.
    pub async fn asked(&self, count: usize) {
        // It does not close while `self` is there.
        let _ = self.script.calls.subscribe().wait_for(|calls| calls.len() >= count).await;
    }

    /// How many answers nobody has asked for yet.
    pub fn left(&self) -> usize {
        lock(&self.script.lines).answers.len()
    }

    /// A clone can go on with the script while the layer uses it, so this is no `must_use`.
    fn answer(self, answer: Result<Token, Error>) -> Self {
        let mut lines = lock(&self.script.lines);
        let (is_held, after) = (take(&mut lines.is_held), take(&mut lines.after));
        lines.answers.push_back(Line { is_held, after, answer });
        drop(lines);
        self
    }
}

impl Grant for ScriptedGrant {
    async fn obtain(&self, previous: Option<Token>, http: Transport) -> Result<Token, Error> {
        let line = lock(&self.script.lines).answers.pop_front();
        let mut number = 0;
        self.script.calls.send_modify(|calls| {
            calls.push(Call::new(previous, &http));
            number = calls.len();
        });
        let Some(line) = line else {
            let why = format!("the script of this `ScriptedGrant` has ended: it has no answer to call {number}");
            return Err(Error::new(ErrorKind::Configuration, why));
        };
        // The semaphore is never closed.
        if line.is_held
            && let Ok(release) = self.script.releases.acquire().await
        {
            release.forget();
        }
        clock::sleep(line.after).await;
        line.answer
    }
}

impl Default for ScriptedGrant {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ScriptedGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedGrant").field("left", &self.left()).finish_non_exhaustive()
    }
}
