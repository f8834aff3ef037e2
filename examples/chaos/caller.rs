//! A caller: it sends its share of the requests, and waits for or cancels each one according to its plan.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use fastrand::Rng;
use tokio::time::{sleep, timeout};
use tower_oauth2::ErrorKind;

use super::{
    behavior::{CallerBehavior, RequestPlan},
    promises::Promise,
    request::{Client, LoginContext, Outcome, send_request},
    tally::Part,
};

/// Longer than any request here may take.
const HANG_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Caller {
    pub(crate) context: Arc<LoginContext>,
    pub(crate) client: Client,
    pub(crate) rng: Rng,
    /// Whether its plans make the API revoke tokens.
    pub(crate) revokes: bool,
}

impl Caller {
    pub(crate) async fn send(mut self, requests: u64) {
        for _ in 0..requests {
            if self.context.run.is_aborted() {
                return;
            }
            let plan = RequestPlan::draw(&mut self.rng, self.revokes);
            self.context.run.begin();
            let outcome = timeout(HANG_TIMEOUT, self.request(plan)).await.unwrap_or(Outcome::TimedOut);
            self.record(&outcome, plan);
            if self.context.has_concurrency_limit {
                // A polled service holds a permit, or a place in the queue for one.
                self.client = self.client.clone();
            }
            if matches!(outcome, Outcome::NoToken(_)) {
                // A real caller would not retry at once.
                sleep(Duration::from_millis(self.rng.u64(100..300))).await;
            }
        }
    }

    async fn request(&mut self, plan: RequestPlan) -> Outcome {
        let mut clone;
        let client = if plan.clones {
            clone = self.client.clone();
            &mut clone
        } else {
            &mut self.client
        };
        match plan.caller {
            CallerBehavior::TimesOut(after) => timeout(after, send_request(&self.context, client, plan))
                .await
                .unwrap_or(Outcome::Cancelled("timed out")),
            CallerBehavior::IsAborted(after) => {
                let (context, mut client) = (self.context.clone(), client.clone());
                let task = tokio::spawn(async move { send_request(&context, &mut client, plan).await });
                sleep(after).await;
                task.abort();
                match task.await {
                    Ok(outcome) => outcome,
                    Err(error) if error.is_cancelled() => Outcome::Cancelled("aborted"),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                }
            }
            CallerBehavior::DropsAfterPolls(mut polls) => {
                let mut attempt = pin!(send_request(&self.context, client, plan));
                poll_fn(|cx| match attempt.as_mut().poll(cx) {
                    Poll::Pending if polls == 1 => Poll::Ready(Outcome::Cancelled("dropped after a few polls")),
                    Poll::Pending => {
                        polls -= 1;
                        Poll::Pending
                    }
                    ended => ended,
                })
                .await
            }
            _ => send_request(&self.context, client, plan).await,
        }
    }

    fn record(&self, outcome: &Outcome, plan: RequestPlan) {
        let run = &self.context.run;
        run.tally.count(Part::Requests, outcome.name());
        match outcome {
            Outcome::NoToken(ErrorKind::LoginRequired) => run.broken(Promise::LoginIsKept, "a request needs a login"),
            Outcome::TimedOut => run.broken(Promise::EveryRequestEnds, format!("{plan:?}")),
            _ => {}
        }
    }
}
