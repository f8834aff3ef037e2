//! One of many callers: it sends its share of the requests, each with the patience that its plan says.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use fastrand::Rng;
use tokio::time::{sleep, timeout};
use tower_oauth2::ErrorKind;

use super::{
    attempt::{Client, Outcome, Place, attempt},
    plan::{Manners, Plan},
    promises::Promise,
    tally::Part,
};

/// Nothing here takes that long.
const HANGS: Duration = Duration::from_secs(30);

pub(crate) struct Caller {
    pub(crate) place: Arc<Place>,
    pub(crate) client: Client,
    pub(crate) dice: Rng,
    /// Whether it makes the API revoke tokens.
    pub(crate) revokes: bool,
}

impl Caller {
    pub(crate) async fn send(mut self, requests: u64) {
        for _ in 0..requests {
            if self.place.run.is_over() {
                return;
            }
            let plan = Plan::draw(&mut self.dice, self.revokes);
            self.place.run.begin();
            let outcome = timeout(HANGS, self.request(plan)).await.unwrap_or(Outcome::Hung);
            self.note(&outcome, plan);
            if self.place.is_crowded {
                // A service that was asked whether it is ready holds a place, or stands in the queue for one.
                self.client = self.client.clone();
            }
            if matches!(outcome, Outcome::NoToken(_)) {
                // Nobody in their right mind comes back at once.
                sleep(Duration::from_millis(self.dice.u64(100..300))).await;
            }
        }
    }

    async fn request(&mut self, plan: Plan) -> Outcome {
        let mut clone;
        let client = if plan.clones {
            clone = self.client.clone();
            &mut clone
        } else {
            &mut self.client
        };
        match plan.manners {
            Manners::TimesOut(after) => {
                timeout(after, attempt(&self.place, client, plan)).await.unwrap_or(Outcome::Left("timed out"))
            }
            Manners::IsAborted(after) => {
                let (place, mut client) = (self.place.clone(), client.clone());
                let task = tokio::spawn(async move { attempt(&place, &mut client, plan).await });
                sleep(after).await;
                task.abort();
                match task.await {
                    Ok(outcome) => outcome,
                    Err(error) if error.is_cancelled() => Outcome::Left("aborted"),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                }
            }
            Manners::DropsAfterPolls(mut polls) => {
                let mut attempt = pin!(attempt(&self.place, client, plan));
                poll_fn(|cx| match attempt.as_mut().poll(cx) {
                    Poll::Pending if polls == 1 => Poll::Ready(Outcome::Left("dropped after a few polls")),
                    Poll::Pending => {
                        polls -= 1;
                        Poll::Pending
                    }
                    ended => ended,
                })
                .await
            }
            _ => attempt(&self.place, client, plan).await,
        }
    }

    fn note(&self, outcome: &Outcome, plan: Plan) {
        let run = &self.place.run;
        run.tally.count(Part::Requests, outcome.name());
        match outcome {
            Outcome::NoToken(ErrorKind::LoginNeeded) => run.broken(Promise::LoginLives, "a request needs a login"),
            Outcome::Hung => run.broken(Promise::EveryRequestEnds, format!("{plan:?}")),
            _ => {}
        }
    }
}
