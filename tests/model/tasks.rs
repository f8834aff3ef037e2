//! Runs each caller as a task.

use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::callers::{Caller, Kind, Stage};
use crate::layers::{Layered, Service};
use crate::results::End;
use crate::world::Shared;

/// The state of a running sequence.
pub(crate) struct Run {
    pub(crate) world: Shared,
    pub(crate) layered: Layered,
    pub(crate) services: Vec<Service>,
    /// The task of each caller.
    tasks: Vec<AbortHandle>,
    /// The services that are or become ready: the caller of each, and the sender that starts its call.
    ready: Vec<(usize, oneshot::Sender<()>)>,
}

impl Run {
    pub(crate) fn new(world: Shared, layered: Layered) -> Self {
        let services = vec![layered.service()];
        Self { world, layered, services, tasks: Vec::new(), ready: Vec::new() }
    }

    /// Drops the services that are ready, which are not called.
    pub(crate) fn drop_ready_services(&mut self) {
        self.ready.clear();
    }

    pub(crate) fn request(&mut self, kind: Kind) {
        let service = self.services.last().cloned().unwrap_or_else(|| self.layered.service());
        let (id, world) = (self.world.lock().start(kind), self.world.clone());
        let task = tokio::spawn(async move {
            let end = match kind {
                Kind::Retried => service.with_retry(id).await,
                _ => service.once(id).await,
            };
            world.lock().ends(id, end);
        });
        self.tasks.push(task.abort_handle());
    }

    pub(crate) fn handle(&mut self, kind: Kind) {
        let (id, world, tokens) = (self.world.lock().start(kind), self.world.clone(), self.layered.tokens().clone());
        let task = tokio::spawn(async move {
            let outcome = match kind {
                Kind::Get => tokens.get().await,
                Kind::Refresh => tokens.refresh().await,
                _ => {
                    tokens.flush().await;
                    return world.lock().ends(id, End::Flushed);
                }
            };
            let end = match outcome {
                Ok(token) => End::Token(token.access_token().to_owned()),
                Err(error) => End::Failed(error.kind()),
            };
            world.lock().ends(id, end);
        });
        self.tasks.push(task.abort_handle());
    }

    pub(crate) fn make_ready(&mut self) {
        let service = self.services.last().cloned().unwrap_or_else(|| self.layered.service());
        let (id, world) = (self.world.lock().start(Kind::ReadyService), self.world.clone());
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

    /// Calls a service that is ready. A service that is not ready yet continues to wait.
    pub(crate) fn calls(&mut self, oldest: bool) -> Option<usize> {
        let is_ready = |(id, _): &(usize, _)| self.world.lock().callers[*id].stage == Stage::Ready;
        let at = match oldest {
            true => self.ready.iter().position(is_ready),
            false => self.ready.iter().rposition(is_ready),
        };
        let (id, call) = self.ready.remove(at?);
        self.world.lock().ready_service_called(id);
        call.send(()).ok()?;
        Some(id)
    }

    pub(crate) fn aborts(&mut self, oldest: bool) {
        let mut world = self.world.lock();
        let under_way = |caller: &Caller| matches!(caller.stage, Stage::Waiting | Stage::Sent);
        let at = match oldest {
            true => world.callers.iter().position(under_way),
            false => world.callers.iter().rposition(under_way),
        };
        if let Some(id) = at {
            world.callers[id].stage = Stage::Done;
            self.tasks[id].abort();
        }
    }
}
