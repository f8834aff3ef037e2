//! Ends a running login when its token cell starts another one.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Weak;
use std::task::Poll;

use tokio::sync::oneshot;

use crate::grant::{Context, TokenSink};
use crate::sync::{Mutex, lock};

/// The running logins of a grant, at most one per token cell. Several cells may share a grant.
#[derive(Default)]
pub(super) struct RunningLogins(Mutex<Vec<RunningLogin>>);

struct RunningLogin {
    cell: Weak<dyn TokenSink>,
    /// Closed when the login has ended.
    replaced: oneshot::Sender<()>,
}

impl RunningLogins {
    /// Ends an earlier login of the same cell. The returned future resolves when a later one starts.
    ///
    /// A cell starts a second login if it no longer uses the result of the first one, because a token was set or forgotten.
    pub(super) fn start(&self, cx: &Context) -> impl Future<Output = ()> + Send + use<> {
        let (sender, receiver) = oneshot::channel();
        // Outside a cell, logins do not replace each other.
        let earlier = cx.sink().and_then(|cell| self.replace(RunningLogin { cell: cell.clone(), replaced: sender }));
        if let Some(earlier) = earlier {
            // It wakes a task, so it is not sent with the lock held.
            let _ = earlier.replaced.send(());
        }
        async move {
            if receiver.await.is_err() {
                pending().await
            }
        }
    }

    fn replace(&self, login: RunningLogin) -> Option<RunningLogin> {
        let mut logins = lock(&self.0);
        logins.retain(|login| !login.replaced.is_closed());
        let is_same_cell = |other: &RunningLogin| std::ptr::addr_eq(other.cell.as_ptr(), login.cell.as_ptr());
        let earlier = logins.iter().position(is_same_cell).map(|earlier| logins.swap_remove(earlier));
        logins.push(login);
        earlier
    }
}

/// Runs a login until it ends. Returns `None` if it is replaced before.
pub(super) async fn until_replaced<F: Future>(login: F, replaced: impl Future<Output = ()>) -> Option<F::Output> {
    let (mut login, mut replaced) = (pin!(login), pin!(replaced));
    poll_fn(|cx| match login.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => replaced.as_mut().poll(cx).map(|()| None),
    })
    .await
}
