//! Those who ask, each a task of its own.

use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::asks::{Ask, Kind, Stage};
use crate::layers::{Layered, Service};
use crate::served::End;
use crate::world::Shared;

/// A sequence that is under way.
pub(crate) struct Run {
    pub(crate) world: Shared,
    pub(crate) layered: Layered,
    pub(crate) services: Vec<Service>,
    /// The task of each ask.
    tasks: Vec<AbortHandle>,
    /// Services that are ready, or become so: the ask that each is for, and how it is called.
    ready: Vec<(usize, oneshot::Sender<()>)>,
}

impl Run {
    pub(crate) fn new(world: Shared, layered: Layered) -> Self {
        let services = vec![layered.service()];
        Self { world, layered, services, tasks: Vec::new(), ready: Vec::new() }
    }

    /// The services that are ready are not called any more.
    pub(crate) fn lets_go_of_services(&mut self) {
        self.ready.clear();
    }

    pub(crate) fn request(&mut self, kind: Kind) {
        let service = self.services.last().cloned().unwrap_or_else(|| self.layered.service());
        let (id, world) = (self.world.lock().ask(kind), self.world.clone());
        let task = tokio::spawn(async move {
            let end = match kind {
                Kind::Persistent => service.persistently(id).await,
                _ => service.once(id).await,
            };
            world.lock().ends(id, end);
        });
        self.tasks.push(task.abort_handle());
    }

    pub(crate) fn handle(&mut self, kind: Kind) {
        let (id, world, tokens) = (self.world.lock().ask(kind), self.world.clone(), self.layered.tokens().clone());
        let task = tokio::spawn(async move {
            let outcome = if kind == Kind::Get { tokens.get().await } else { tokens.refresh().await };
            let end = match outcome {
                Ok(token) => End::Token(token.access_token().to_owned()),
                Err(error) => End::Failed(error.kind()),
            };
            world.lock().ends(id, end);
        });
        self.tasks.push(task.abort_handle());
    }

    pub(crate) fn readies(&mut self) {
        let service = self.services.last().cloned().unwrap_or_else(|| self.layered.service());
        let (id, world) = (self.world.lock().ask(Kind::Readied), self.world.clone());
        let (call, called) = oneshot::channel();
        let task = tokio::spawn(async move {
            let Some(service) = service.ready().await else { return };
            world.lock().ends(id, End::Ready);
            if called.await.is_ok() {
                let end = service.call(id).await;
                world.lock().ends(id, end);
            }
        });
        self.tasks.push(task.abort_handle());
        self.ready.push((id, call));
    }

    /// One that is not ready yet goes on waiting.
    pub(crate) fn calls(&mut self, oldest: bool) -> Option<usize> {
        let is_ready = |(id, _): &(usize, _)| self.world.lock().asks[*id].stage == Stage::Ready;
        let at = match oldest {
            true => self.ready.iter().position(is_ready),
            false => self.ready.iter().rposition(is_ready),
        };
        let (id, call) = self.ready.remove(at?);
        self.world.lock().ask_is_called(id);
        call.send(()).ok()?;
        Some(id)
    }

    pub(crate) fn aborts(&mut self, oldest: bool) {
        let mut world = self.world.lock();
        let under_way = |ask: &Ask| matches!(ask.stage, Stage::Waiting | Stage::Sent);
        let at = match oldest {
            true => world.asks.iter().position(under_way),
            false => world.asks.iter().rposition(under_way),
        };
        if let Some(id) = at {
            world.asks[id].stage = Stage::Done;
            self.tasks[id].abort();
        }
    }
}
