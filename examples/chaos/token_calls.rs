//! The token calls of one login, as the client makes them: one at a time, after the back-off, and to their end.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, Response, header::RETRY_AFTER};

use super::{ledger::Ledger, promises::Promise, run::Run, tally::Part, token_server::BROKEN};

/// The numbers that the layer gets.
pub(crate) const FIRST_BACKOFF: Duration = Duration::from_millis(20);
pub(crate) const LONGEST_BACKOFF: Duration = Duration::from_millis(200);
pub(crate) const DEADLINE: Duration = Duration::from_millis(500);

/// How far the deadline's timer and ours may be apart, and two looks at two clocks.
const TOLERANCE: Duration = Duration::from_millis(50);

pub(crate) struct TokenCalls {
    run: Arc<Run>,
    ledger: Arc<Ledger>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    begun: u64,
    failed: u64,
    in_the_air: usize,
    most_in_the_air: usize,
    failures_in_a_row: i32,
    /// Before this moment there may be no other call, unless the clock has stepped since that look at it.
    earliest: Option<(Instant, u64)>,
}

/// One of them, under way.
pub(crate) struct TokenCall {
    calls: Arc<TokenCalls>,
    pub(crate) number: u64,
    asked: Instant,
    look: u64,
    answered: bool,
}

impl TokenCalls {
    pub(crate) fn new(run: Arc<Run>, ledger: Arc<Ledger>) -> Arc<Self> {
        Arc::new(Self { run, ledger, state: Mutex::default() })
    }

    /// A call is sent. It was `asked` for then, at that look at the clock, and may have waited for its place.
    pub(crate) fn begin(self: &Arc<Self>, (asked, asked_look): (Instant, u64)) -> TokenCall {
        let (now, look) = (Instant::now(), self.run.clock.look());
        let mut state = self.lock();
        state.begun += 1;
        let number = state.begun;
        state.in_the_air += 1;
        state.most_in_the_air = state.most_in_the_air.max(state.in_the_air);
        if state.in_the_air > 1 {
            self.run.broken(Promise::OneTokenCallAtATime, format!("call {number} while another was under way"));
        }
        if let Some((earliest, then)) = state.earliest
            && let Some(early) = earliest.checked_duration_since(now)
            && then == look
        {
            self.run.broken(Promise::BackoffHolds, format!("call {number} was {early:?} too early"));
        }
        TokenCall { calls: self.clone(), number, asked, look: asked_look, answered: false }
    }

    /// How many were begun, and how many of those have failed.
    pub(crate) fn begun_and_failed(&self) -> (u64, u64) {
        let state = self.lock();
        (state.begun, state.failed)
    }

    pub(crate) fn in_the_air(&self) -> usize {
        self.lock().in_the_air
    }

    pub(crate) fn most_in_the_air(&self) -> usize {
        self.lock().most_in_the_air
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenCall {
    /// The head of the answer has come, or none will.
    pub(crate) fn ended<B, E>(mut self, answer: &Result<Response<B>, E>) {
        self.answered = true;
        match answer {
            Ok(answer) if answer.status() == 200 && !answer.headers().contains_key(BROKEN) => {
                let mut state = self.calls.lock();
                (state.failures_in_a_row, state.earliest) = (0, None);
                // Now the body may come too late. Nobody can see from here whether it does.
                if self.asked.elapsed() > DEADLINE / 2 || self.has_stepped() {
                    state.failed += 1;
                    self.calls.ledger.answer_lost(self.number);
                }
            }
            Ok(answer) => self.failed(self.retry_after(answer.headers())),
            Err(_) => self.failed(None),
        }
    }

    /// As far as can be known now: no other call may follow within the back-off.
    fn failed(&self, retry_after: Option<Duration>) {
        self.calls.ledger.answer_lost(self.number);
        let (now, look) = (Instant::now(), self.calls.run.clock.look());
        let mut state = self.calls.lock();
        state.failed += 1;
        state.failures_in_a_row += 1;
        let growth = 1.6_f64.powi(state.failures_in_a_row - 1);
        let backoff = FIRST_BACKOFF.mul_f64(growth).min(LONGEST_BACKOFF).mul_f64(0.8);
        state.earliest = Some((now + retry_after.unwrap_or(backoff), look));
    }

    /// Whether the clock has, since the call was asked for. Then its deadline may have come early.
    fn has_stepped(&self) -> bool {
        self.look != self.calls.run.clock.look()
    }

    /// What the server asks for. A date is only worth something while the clock is right.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
        match text.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) if !self.calls.run.clock.is_right() => Some(Duration::ZERO),
            Err(_) => {
                let date = httpdate::parse_http_date(text).ok()?;
                Some(date.duration_since(SystemTime::now()).ok()?.saturating_sub(TOLERANCE))
            }
        }
    }
}

/// Dropped before an answer came, it was given up: by its deadline, one hopes.
impl Drop for TokenCall {
    fn drop(&mut self) {
        self.calls.lock().in_the_air -= 1;
        if self.answered {
            return;
        }
        let (age, run) = (self.asked.elapsed(), &self.calls.run);
        if age + TOLERANCE < DEADLINE {
            if self.has_stepped() {
                run.count(Part::OnTheWay, "a token call was given up early, for the clock had stepped");
            } else {
                let what = format!("call {} was dropped when it was {age:?} old", self.number);
                run.broken(Promise::TokenCallsEnd, what);
            }
        }
        self.failed(None);
    }
}
