//! How a policy copies a request body before it is sent.

use http_body::Body;

/// Copies no body. The default of [`RetryUnauthorized`](super::RetryUnauthorized).
#[derive(Clone, Copy, Debug)]
pub struct Empty(pub(super) ());

/// Copies bodies that are `Clone`, up to a maximum size. Created by [`RetryUnauthorized::buffered`](super::RetryUnauthorized::buffered).
#[derive(Clone, Copy, Debug)]
pub struct Buffered {
    pub(super) max_bytes: usize,
}

/// Copies bodies with a function, also empty ones. Created by [`RetryUnauthorized::replay_only`](super::RetryUnauthorized::replay_only).
#[derive(Clone, Copy)]
pub struct ReplayOnly<F> {
    pub(super) copy: F,
}

/// Copies a request body before it is sent. Sealed: implemented by [`Empty`], [`Buffered`], [`ReplayOnly`] and functions.
#[diagnostic::on_unimplemented(
    message = "`RetryUnauthorized` cannot copy a request body of type `{B}`",
    label = "the body is not `Clone`, or not `Default`",
    note = "record it: replace `RetryLayer::new(policy)` by `RetryUnauthorized::new().buffered(max_bytes).into_layer(…)`",
    note = "or copy it with a function of its crate: `RetryUnauthorized::new().replay_only(…)`"
)]
pub trait Replay<B>: sealed::CopyBody<B> {}

impl<T: sealed::CopyBody<B>, B> Replay<B> for T {}

mod sealed {
    pub trait CopyBody<B> {
        fn copy(&self, body: &B) -> Option<B>;
    }
}

impl<B: Body + Default> sealed::CopyBody<B> for Empty {
    fn copy(&self, body: &B) -> Option<B> {
        empty(body)
    }
}

impl<B: Body + Clone> sealed::CopyBody<B> for Buffered {
    fn copy(&self, body: &B) -> Option<B> {
        let is_small = body.size_hint().exact().is_some_and(|size| size <= self.max_bytes as u64);
        (is_small || body.is_end_stream()).then(|| body.clone())
    }
}

impl<B, F: Fn(&B) -> Option<B>> sealed::CopyBody<B> for ReplayOnly<F> {
    fn copy(&self, body: &B) -> Option<B> {
        (self.copy)(body)
    }
}

impl<B: Body + Default, F: Fn(&B) -> Option<B>> sealed::CopyBody<B> for F {
    fn copy(&self, body: &B) -> Option<B> {
        self(body).or_else(|| empty(body))
    }
}

fn empty<B: Body + Default>(body: &B) -> Option<B> {
    body.is_end_stream().then(B::default)
}

impl<F> std::fmt::Debug for ReplayOnly<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplayOnly").finish_non_exhaustive()
    }
}
