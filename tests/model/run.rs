//! Runs a sequence against the layer and the reference, side by side.

use std::collections::BTreeSet;
use std::time::Duration;

use tower_oauth2::Token;

use crate::asks::Kind;
use crate::layers::Layered;
use crate::seen::Seen;
use crate::server::Mode;
use crate::steps::{Moment, Setting, Step};
use crate::tasks::Run;
use crate::world::Shared;

/// Runs it in a world of its own: the corners it came to.
///
/// # Errors
///
/// What went wrong, and the story that led there.
pub(crate) fn run(setting: Setting, steps: &[Step]) -> Result<BTreeSet<Seen>, String> {
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
        self.comes_to_rest().await
    }

    async fn step(&mut self, step: Step) -> Result<(), String> {
        self.world.lock().note(format_args!("--- {step:?}"));
        let before = self.world.lock().asks.len();
        let mut asked: Vec<usize> = self.take(step).await.into_iter().collect();
        settle().await;
        let world = &mut self.world.lock();
        asked.extend(before..world.asks.len());
        world.keeps_promises(&asked);
        world.is_at_rest(&self.layered);
        world.report()
    }

    /// Everything works again. Nobody waits for ever, and whoever asks is served unless a person has to log in.
    async fn comes_to_rest(&mut self) -> Result<(), String> {
        self.lets_go_of_services();
        for step in [Step::Server(Mode::Up), Step::RefuseAll(false), Step::ApiDelay(0), Step::ApiReady(true)] {
            self.step(step).await?;
        }
        self.step(Step::Pass(400_000)).await?;
        self.world.lock().has_ended();
        // The first may be the one whose token is refused.
        for _ in 0..2 {
            self.step(Step::Hours(1)).await?;
            self.step(Step::Request).await?;
        }
        let mut world = self.world.lock();
        let served = world.asks.last().is_some_and(|ask| ask.accepted);
        if !served && world.reference.credential().is_some() {
            world.fault("all is well, and a request is not served");
        }
        world.report()
    }

    /// What it does; and which ask of before has asked again.
    async fn take(&mut self, step: Step) -> Option<usize> {
        match step {
            Step::Pass(millis) => pass(Duration::from_millis(millis)).await,
            Step::Hours(hours) => pass(Duration::from_secs(3600 * hours)).await,
            Step::PassTo(moment, off) => pass(self.until(moment, off)).await,
            Step::Request => self.request(Kind::Request),
            Step::Requests(many) => (0..many).for_each(|_| self.request(Kind::Request)),
            Step::Persistent => self.request(Kind::Persistent),
            Step::Get => self.handle(Kind::Get),
            Step::Refresh => self.handle(Kind::Refresh),
            Step::Ready => self.readies(),
            Step::Call { oldest } => return self.calls(oldest),
            Step::Abort { oldest } => self.aborts(oldest),
            Step::Layer => self.services.push(self.layered.service()),
            Step::Clone => self.services.extend(self.services.last().cloned()),
            Step::Drop => drop(self.services.pop()),
            Step::Invalidate => {
                self.world.lock().reference.invalidate();
                self.layered.tokens().invalidate();
            }
            Step::Forget => {
                self.world.lock().reference.forget();
                self.layered.tokens().forget();
            }
            Step::Set { lifetime, refresh_token } => self.sets(lifetime, refresh_token),
            other => self.world.lock().changes(other),
        }
        None
    }

    fn until(&self, moment: Moment, off: i64) -> Duration {
        let world = self.world.lock();
        let token = world.reference.token.as_ref();
        let moment = match moment {
            Moment::Due => token.map(|token| token.due),
            Moment::Stale => token.map(|token| token.stale),
            Moment::Expiry => token.map(|token| token.expiry),
            Moment::Retry => world.reference.failure.map(|failure| failure.retry),
        };
        let ahead = moment.and_then(|moment| moment.ahead(world.now())).unwrap_or(1_000_000_000);
        Duration::from_nanos((ahead + off * 1_000_000).max(0).unsigned_abs())
    }

    fn sets(&mut self, lifetime: Option<u64>, refresh_token: bool) {
        let mut world = self.world.lock();
        let issued = world.server.login(refresh_token, lifetime);
        let now = world.now();
        world.note(format_args!("{issued:?}"));
        world.reference.set(&issued, now);
        drop(world);
        let Ok(mut token) = Token::bearer(issued.access) else { return };
        if let Some(secs) = issued.lifetime {
            token = token.with_expires_in(Duration::from_secs(secs));
        }
        if let Some(text) = issued.refresh {
            token = token.with_refresh_token(text);
        }
        self.layered.tokens().set(token);
    }
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Lets everything run that can, while time stands still.
async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}
