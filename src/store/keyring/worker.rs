//! A thread for keyring operations, which block while the keyring waits for its user.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;
use std::{fmt, io, thread};

use tokio::sync::{Semaphore, oneshot};

use crate::catch_panic::catch_panic;
use crate::clock;
use crate::error::BoxError;
use crate::store::store_error::StoreError;
use crate::sync::{Mutex, lock};

/// The timeout of an operation. It is shorter than the 10 s of `Persisted`, so that the error is this one, which describes the likely
/// cause.
const TIMEOUT: Duration = Duration::from_secs(8);

const NO_RESPONSE: &str = "no response of the keyring within 8 s: it may be locked and waiting for its user; unlock it";

type Job = Box<dyn FnOnce() + Send>;

/// A thread that starts with the first operation, and ends when all clones are dropped and the last operation has completed.
#[derive(Clone)]
pub(super) struct Worker(Arc<WorkerState>);

struct WorkerState {
    /// One permit, held by the running operation. Other operations wait for it. A dropped one leaves the queue, so operations do not
    /// accumulate while the keyring does not respond.
    idle: Arc<Semaphore>,
    thread: Mutex<Option<Sender<Job>>>,
}

impl Worker {
    pub(super) fn new() -> Self {
        Self(Arc::new(WorkerState { idle: Arc::new(Semaphore::new(1)), thread: Mutex::new(None) }))
    }

    /// Runs `work` on the thread, after the running operation. Once started, it runs to completion, even if this future is dropped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, BoxError> {
        self.run_after(async { Ok(()) }, |()| work()).await
    }

    /// Awaits a future and passes its output to `work`, which runs as in [`run`](Self::run). The timeout includes both.
    pub(super) async fn run_after<P: Send + 'static, T: Send + 'static>(
        &self,
        first: impl Future<Output = Result<P, BoxError>>,
        work: impl FnOnce(P) -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, BoxError> {
        let both = async {
            let prepared = first.await?;
            self.begin(move || work(prepared)).await
        };
        clock::within(TIMEOUT, both).await.unwrap_or_else(|| Err(StoreError::boxed(NO_RESPONSE)))
    }

    async fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, BoxError> {
        let permit = self.0.idle.clone().acquire_owned().await?;
        let (done, outcome) = oneshot::channel();
        self.send(Box::new(move || {
            let outcome = catch_panic(work);
            drop(permit);
            let _ = done.send(outcome);
        }))?;
        outcome.await?.map_err(|_| StoreError::boxed("the keyring panicked"))?
    }

    fn send(&self, job: Job) -> io::Result<()> {
        let mut thread = lock(&self.0.thread);
        let sender = match &mut *thread {
            Some(sender) => sender,
            none => none.insert(start()?),
        };
        // Jobs do not panic, so the thread runs as long as the sender exists.
        sender.send(job).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

fn start() -> io::Result<Sender<Job>> {
    let (sender, jobs) = mpsc::channel::<Job>();
    thread::Builder::new().name("keyring".to_owned()).spawn(move || jobs.into_iter().for_each(|job| job()))?;
    Ok(sender)
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::thread::ThreadId;

    use super::*;

    fn here() -> Result<ThreadId, BoxError> {
        Ok(thread::current().id())
    }

    /// Returns work that blocks until the returned sender is dropped, and a receiver that reports its start.
    fn blocked() -> (Sender<()>, Receiver<()>, impl FnOnce() -> Result<ThreadId, BoxError> + Send + 'static) {
        let ((resume, wait), (begun, has_begun)) = (channel::<()>(), channel());
        let work = move || {
            let _ = begun.send(());
            let _ = wait.recv();
            here()
        };
        (resume, has_begun, work)
    }

    #[tokio::test]
    async fn all_clones_share_one_thread() {
        let worker = Worker::new();
        let (one, two) = (worker.run(here).await.unwrap(), worker.clone().run(here).await.unwrap());
        assert!(one == two && one != thread::current().id());
        let panicked = worker.run(|| -> Result<(), BoxError> { panic!("hunter2") }).await.unwrap_err();
        assert_eq!(panicked.to_string(), "the keyring panicked");
        assert_eq!(worker.run(here).await.unwrap(), one);
    }

    /// The clock is paused, so that it advances when all tasks are idle.
    #[tokio::test(start_paused = true)]
    async fn operations_behind_blocked_work_time_out_and_leave_the_queue() {
        let worker = Worker::new();
        let (resume, has_begun, work) = blocked();
        assert_eq!(worker.run(work).await.unwrap_err().to_string(), NO_RESPONSE);
        has_begun.recv().unwrap();
        for _ in 0..100 {
            assert_eq!(worker.run(here).await.unwrap_err().to_string(), NO_RESPONSE);
        }
        tokio::time::resume();
        let one = tokio::spawn({
            let worker = worker.clone();
            async move { worker.run(here).await }
        });
        drop(resume);
        assert_eq!(one.await.unwrap().unwrap(), worker.run(here).await.unwrap());
    }

    #[tokio::test]
    async fn the_thread_ends_with_the_last_clone_and_the_last_work() {
        struct Ends(#[allow(dead_code, reason = "it is dropped")] Sender<()>);
        thread_local!(static END: std::cell::RefCell<Option<Ends>> = const { std::cell::RefCell::new(None) });
        let worker = Worker::new();
        let (alive, ended) = channel();
        worker.run(move || Ok(END.with(|end| end.replace(Some(Ends(alive))).is_none()))).await.unwrap();
        let (resume, has_begun, work) = blocked();
        let clone = worker.clone();
        let task = tokio::spawn(async move { clone.run(work).await });
        tokio::task::spawn_blocking(move || has_begun.recv()).await.unwrap().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        drop(worker);
        ended.try_recv().expect_err("the work is still running");
        drop(resume);
        // The end of the thread drops the sender.
        tokio::task::spawn_blocking(move || ended.recv()).await.unwrap().unwrap_err();
    }
}
