//! A grant that returns the outcomes of a script, in order.

use std::collections::VecDeque;
use std::fmt;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::{Call, ScriptedError};
use crate::clock;
use crate::dpop::Dpop;
use crate::error::{Error, ErrorKind};
use crate::grant::{Context, Grant};
use crate::sync::{Mutex, lock};
use crate::token::Token;

/// A grant that returns the outcomes of a script, in order and without the network. Clones share the script: one is the grant of
/// the layer, and the test continues the script with another.
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
/// // The API returns the token that it was sent.
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
/// assert_eq!((script.calls().len(), script.remaining()), (2, 0));
/// # Ok(())
/// # }
/// ```
///
/// # End of the script
///
/// A call after the last outcome returns an [`ErrorKind::Configuration`] error that names the number of the call. It does not
/// panic, because the layer converts a panic of a grant into [`ErrorKind::Panicked`], and the test would not show the reason.
/// If the code under test ignores errors, compare the number of [`calls`](Self::calls) at the end.
#[derive(Clone)]
pub struct ScriptedGrant {
    script: Arc<SharedScript>,
    dpop: Option<Dpop>,
}

struct SharedScript {
    steps: Mutex<Steps>,
    calls: watch::Sender<Vec<Call>>,
    releases: Semaphore,
}

#[derive(Default)]
struct Steps {
    queue: VecDeque<Step>,
    /// The options of the next step.
    is_held: bool,
    delay: Duration,
}

struct Step {
    is_held: bool,
    delay: Duration,
    outcome: Result<Token, Error>,
}

impl ScriptedGrant {
    /// Creates an empty script.
    pub fn new() -> Self {
        let (steps, releases) = (Mutex::default(), Semaphore::new(0));
        let script = Arc::new(SharedScript { steps, calls: watch::Sender::new(Vec::new()), releases });
        Self { script, dpop: None }
    }

    /// Appends a token to the script. The lifetime of the token starts when the token is created, not when the grant returns it.
    pub fn token(self, token: Token) -> Self {
        self.push(Ok(token))
    }

    /// Sets the key of tokens that are made with [`Token::dpop`]. The layer sends them with proofs.
    #[must_use]
    pub fn dpop(self, dpop: Dpop) -> Self {
        Self { dpop: Some(dpop), ..self }
    }

    /// Appends an error to the script: an [`ErrorKind`], a [`ScriptedError`] with details, or an [`Error`] of your own.
    pub fn fail(self, error: impl Into<ScriptedError>) -> Self {
        self.push(Err(error.into().into()))
    }

    /// Makes the next outcome of the script wait for a [`release`](Self::release).
    ///
    /// ```
    /// use tower::{Layer, service_fn};
    /// use tower_oauth2::{OAuth2Layer, Token, test_util::ScriptedGrant};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower::BoxError> {
    /// let script = ScriptedGrant::new().held().token(Token::bearer("a")?);
    /// let no_network = service_fn(async |_: http::Request<Vec<u8>>| Err::<http::Response<String>, _>("none"));
    /// let tokens = OAuth2Layer::new(script.clone()).token_service(no_network).tokens();
    ///
    /// let waiting = tokio::spawn(async move { tokens.get().await });
    /// script.wait_for_calls(1).await;
    /// assert!(!waiting.is_finished());
    /// script.release();
    /// assert_eq!(waiting.await??.access_token(), "a");
    /// # Ok(())
    /// # }
    /// ```
    pub fn held(self) -> Self {
        lock(&self.script.steps).is_held = true;
        self
    }

    /// Delays the next outcome of the script, by the monotonic clock: in a paused runtime the test does not wait. If the outcome is
    /// [held](Self::held) too, the delay starts after the release.
    pub fn delayed(self, delay: Duration) -> Self {
        lock(&self.script.steps).delay = delay;
        self
    }

    /// Releases one held outcome. If none is waiting, it releases the next one in advance.
    pub fn release(&self) {
        self.script.releases.add_permits(1);
    }

    /// Returns the calls so far, in order. A call that is held counts.
    pub fn calls(&self) -> Vec<Call> {
        self.script.calls.borrow().clone()
    }

    /// Waits until the grant has been called `count` times in total.
    ///
    /// The future never completes if that does not happen. Use `tokio::time::timeout` in a test that may fail in this way.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on the script.
    pub async fn wait_for_calls(&self, count: usize) {
        // The channel is not closed while `self` exists.
        let _ = self.script.calls.subscribe().wait_for(|calls| calls.len() >= count).await;
    }

    /// Returns the number of outcomes that the grant has not returned yet.
    pub fn remaining(&self) -> usize {
        lock(&self.script.steps).queue.len()
    }

    /// Adds a step. It is not `must_use`, because a clone can continue the script while the layer uses it.
    fn push(self, outcome: Result<Token, Error>) -> Self {
        let mut steps = lock(&self.script.steps);
        let (is_held, delay) = (take(&mut steps.is_held), take(&mut steps.delay));
        steps.queue.push_back(Step { is_held, delay, outcome });
        drop(steps);
        self
    }
}

impl Grant for ScriptedGrant {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        let step = lock(&self.script.steps).queue.pop_front();
        let mut number = 0;
        self.script.calls.send_modify(|calls| {
            calls.push(Call::new(&cx));
            number = calls.len();
        });
        let Some(step) = step else {
            let why = format!(
                "the script of this `ScriptedGrant` has ended: it has no outcome for call {number}; append one, or expect fewer calls"
            );
            return Err(Error::new(ErrorKind::Configuration, why));
        };
        // `acquire` fails only on a closed semaphore, and this one is never closed.
        if step.is_held
            && let Ok(release) = self.script.releases.acquire().await
        {
            release.forget();
        }
        clock::sleep(step.delay).await;
        step.outcome
    }

    fn dpop(&self) -> Option<Dpop> {
        self.dpop.clone()
    }
}

impl Default for ScriptedGrant {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ScriptedGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedGrant").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}
