//! Counts the services of the layer, because handles send token requests through them.

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tower::Service;

use crate::world::Shared;

/// A service of the layer. Its clones count as one service, from the first `poll_ready` on.
#[derive(Clone)]
pub(crate) struct Alive<S> {
    service: S,
    world: Shared,
    life: Arc<OnceLock<Life>>,
}

struct Life(Shared);

impl<S> Alive<S> {
    pub(crate) fn new(service: S, world: &Shared) -> Self {
        Self { service, world: world.clone(), life: Arc::default() }
    }
}

impl<S: Service<R>, R> Service<R> for Alive<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.life.get_or_init(|| Life::new(&self.world));
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.service.call(request)
    }
}

impl Life {
    fn new(world: &Shared) -> Self {
        world.lock().count_services(1);
        Self(world.clone())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.lock().count_services(-1);
    }
}
