//! Runs a sequence against the layer and the reference, and compares them.

use std::collections::BTreeSet;
use std::time::Duration;

use tower_oauth2::Token;

use crate::callers::Kind;
use crate::coverage::Case;
use crate::layers::Layered;
use crate::server::Mode;
use crate::steps::{Moment, Setting, Step};
use crate::tasks::Run;
use crate::world::Shared;

/// Runs a sequence in a separate world. Returns the cases that it reached.
///
/// # Errors
///
/// Returns the first fault, with the log of the sequence.
pub(crate) fn run(setting: Setting, steps: &[Step]) -> Result<BTreeSet<Case>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|why| why.to_string())?;
    let outcome = runtime.block_on(async {
        let world = Shared::new(setting);
        let _entered = world.lock().clocks.enter();
        let layered = Layered::new(setting, &world);
        let outcome = Run::new(world.clone(), layered).all(steps).await;
        let mut world = world.lock();
        world.over = true;
        outcome.map(|()| std::mem::take(&mut world.seen))
    });
    drop(runtime);
    outcome
}

impl Run {
    async fn all(&mut self, steps: &[Step]) -> Result<(), String> {
        for step in steps {
            self.step(*step).await?;
        }
        self.finish().await
    }

    async fn step(&mut self, step: Step) -> Result<(), String> {
        self.world.lock().note(format_args!("--- {step:?}"));
        let before = self.world.lock().callers.len();
        let mut started = self.take(step).await;
        settle().await;
        let world = &mut self.world.lock();
        started.append(&mut world.restarted);
        started.extend(before..world.callers.len());
        world.check_expectations(&started);
        world.check_idle(&self.layered);
        let report = world.report();
        self.layered.remember();
        report
    }

    /// Restores the servers. Checks that no caller waits forever, and that new requests succeed unless a login is required.
    async fn finish(&mut self) -> Result<(), String> {
        self.drop_ready_services();
        for step in [Step::Server(Mode::Up), Step::ApiRejectsAll(false), Step::ApiDelay(0), Step::ApiReady(true)] {
            self.step(step).await?;
        }
        self.step(Step::Pass(400_000)).await?;
        self.world.lock().has_ended();
        // The token of the first request may be rejected.
        for _ in 0..2 {
            self.step(Step::Hours(1)).await?;
            self.step(Step::Request).await?;
        }
        let mut world = self.world.lock();
        let served = world.callers.last().is_some_and(|caller| caller.accepted);
        if !served && world.reference.credential().is_some() {
            world.fault("a request fails although all servers are available");
        }
        world.report()
    }

    /// Performs a step. Returns the callers of earlier steps that have started over.
    async fn take(&mut self, step: Step) -> Vec<usize> {
        match step {
            Step::Pass(millis) => pass(Duration::from_millis(millis)).await,
            Step::Hours(hours) => pass(Duration::from_secs(3600 * hours)).await,
            Step::PassTo(moment, offset) => pass(self.until(moment, offset)).await,
            Step::Request => self.request(Kind::Request),
            Step::Requests(many) => (0..many).for_each(|_| self.request(Kind::Request)),
            Step::Retried => self.request(Kind::Retried),
            Step::Get => self.handle(Kind::Get),
            Step::Refresh => self.handle(Kind::Refresh),
            Step::Ready => self.make_ready(),
            Step::Flush => self.handle(Kind::Flush),
            Step::Call { oldest } => return self.calls(oldest).into_iter().collect(),
            Step::Abort { oldest } => self.aborts(oldest),
            Step::Layer => self.services.push(self.layered.service()),
            Step::Clone => self.services.extend(self.services.last().cloned()),
            Step::Drop => drop(self.services.pop()),
            Step::Invalidate => {
                self.world.lock().reference.invalidate();
                self.layered.tokens().invalidate();
            }
            Step::Reject { newest } => self.rejects(newest),
            Step::Forget => {
                let started = self.world.lock().forget();
                self.layered.tokens().forget();
                return started;
            }
            Step::Set { lifetime, refresh_token } => return self.sets(lifetime, refresh_token),
            other => self.world.lock().changes(other),
        }
        Vec::new()
    }

    fn until(&self, moment: Moment, offset: i64) -> Duration {
        let world = self.world.lock();
        let token = world.reference.token.as_ref();
        let moment = match moment {
            Moment::Due => token.map(|token| token.due),
            Moment::Stale => token.map(|token| token.stale),
            Moment::Expiry => token.map(|token| token.expiry),
            Moment::Retry => world.reference.failure.map(|failure| failure.retry),
        };
        let ahead = moment.and_then(|moment| moment.ahead(world.now())).unwrap_or(1_000_000_000);
        Duration::from_nanos((ahead + offset * 1_000_000).max(0).unsigned_abs())
    }

    /// Rejects a token. An older one has no effect.
    fn rejects(&mut self, newest: bool) {
        let Some(token) = self.layered.token(newest) else { return };
        self.world.lock().reject(token.access_token());
        self.layered.tokens().reject(&token);
    }

    fn sets(&mut self, lifetime: Option<u64>, refresh_token: bool) -> Vec<usize> {
        let mut world = self.world.lock();
        let issued = world.server.login(refresh_token, lifetime);
        let now = world.now();
        world.note(format_args!("{issued:?}"));
        let started = world.set(&issued, now);
        drop(world);
        let Ok(mut token) = Token::bearer(issued.access) else { return started };
        if let Some(secs) = issued.lifetime {
            token = token.with_expires_in(Duration::from_secs(secs));
        }
        if let Some(text) = issued.refresh {
            token = token.with_refresh_token(text);
        }
        self.layered.tokens().set(token);
        started
    }
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Runs all tasks that can make progress while time is paused.
async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}
