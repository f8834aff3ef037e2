//! Wakers are user code: they may own another waiter, panic, or call the layer.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tower_oauth2::grant::{self, grant_fn};
use tower_oauth2::{OAuth2Layer, Token, Tokens};

use crate::support::token_endpoint;

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs `run` on another thread, so that a deadlock fails the test.
fn within_a_minute(run: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        run();
        let _ = done.send(());
    });
    match ended.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a deadlock"),
        _ => thread.join().unwrap(),
    }
}

/// Returns the handle of a layer whose login never completes.
fn tokens() -> Tokens {
    let layer = OAuth2Layer::new(grant_fn(async |_: grant::Context| pending().await));
    layer.token_service(token_endpoint(vec![]).0).tokens()
}

fn waiting(tokens: &Tokens) -> Waiting {
    let tokens = tokens.clone();
    Box::pin(async move { drop(tokens.get().await) })
}

fn poll(waiting: &mut Waiting, waker: &Waker) -> Poll<()> {
    waiting.as_mut().poll(&mut Context::from_waker(waker))
}

/// A waker that calls a function and owns a value.
struct Wakes<F, T>(F, #[allow(dead_code, reason = "only owned")] T);

impl<F: Fn() + Send + Sync, T: Send + Sync> Wake for Wakes<F, T> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn waker<T: Send + Sync + 'static>(wakes: impl Fn() + Send + Sync + 'static, owns: T) -> Waker {
    Waker::from(Arc::new(Wakes(wakes, owns)))
}

/// A waiter whose waker is the only owner of another waiter, and so on.
fn chain(tokens: &Tokens, length: usize) -> Waiting {
    let mut inner = waiting(tokens);
    assert!(poll(&mut inner, Waker::noop()).is_pending());
    for _ in 0..length {
        let waker = waker(|| (), Mutex::new(inner));
        inner = waiting(tokens);
        assert!(poll(&mut inner, &waker).is_pending());
    }
    inner
}

#[test]
fn a_waker_that_owns_another_waiter() {
    within_a_minute(|| {
        let tokens = tokens();
        drop(chain(&tokens, 10));
        // The waker is replaced.
        let mut replaced = chain(&tokens, 10);
        assert!(poll(&mut replaced, Waker::noop()).is_pending());
        // The waker is dropped by `wake_all`.
        let woken: Vec<_> = (0..3).map(|_| chain(&tokens, 3)).collect();
        tokens.forget();
        tokens.set(Token::bearer("a").unwrap());
        drop(woken);
        assert!(poll(&mut replaced, Waker::noop()).is_ready());
    });
}

/// The waker of a watcher may own a waiter and a handle.
#[test]
fn a_waker_of_a_watcher_that_owns_a_waiter() {
    within_a_minute(|| {
        let tokens = tokens();
        let mut changes = tokens.changes();
        let waker = waker(|| (), (Mutex::new(chain(&tokens, 2)), tokens.clone()));
        let mut changed = Box::pin(changes.changed());
        assert!(changed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        tokens.set(Token::bearer("a").unwrap());
        assert!(changed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    });
}

#[test]
fn a_waker_that_panics_does_not_prevent_others_from_being_woken() {
    within_a_minute(|| {
        let (tokens, woken) = (tokens(), Arc::new(AtomicUsize::new(0)));
        let mut all: Vec<_> = (0..9)
            .map(|number| {
                let (mut one, woken) = (waiting(&tokens), woken.clone());
                let waker = waker(
                    move || {
                        woken.fetch_add(1, Ordering::SeqCst);
                        assert_ne!(number % 3, 0, "this waker panics");
                    },
                    (),
                );
                assert!(poll(&mut one, &waker).is_pending());
                one
            })
            .collect();
        tokens.set(Token::bearer("a").unwrap());
        assert_eq!(woken.load(Ordering::SeqCst), 9);
        assert_eq!(tokens.peek().unwrap().access_token(), "a");
        assert!(all.iter_mut().all(|one| poll(one, Waker::noop()).is_ready()));
    });
}

#[test]
fn a_waker_that_calls_the_layer() {
    within_a_minute(|| {
        let (tokens, calls) = (tokens(), Arc::new(AtomicUsize::new(0)));
        let mut one = waiting(&tokens);
        let waker = {
            let (tokens, calls) = (tokens.clone(), calls.clone());
            waker(
                move || {
                    // The callbacks change the cell themselves, which wakes again.
                    if calls.fetch_add(1, Ordering::SeqCst) < 5 {
                        assert!(poll(&mut waiting(&tokens), Waker::noop()).is_ready());
                        tokens.invalidate();
                        tokens.reject(&Token::bearer("a").unwrap());
                        assert!(poll(&mut waiting(&tokens), Waker::noop()).is_pending());
                        tokens.forget();
                        drop(tokens.changes());
                        tokens.set(Token::bearer("b").unwrap());
                    }
                },
                (),
            )
        };
        assert!(poll(&mut one, &waker).is_pending());
        tokens.set(Token::bearer("a").unwrap());
        assert!(poll(&mut one, &waker).is_ready());
        assert!(calls.load(Ordering::SeqCst) > 0);
        assert_eq!(tokens.peek().unwrap().access_token(), "b");
    });
}

/// A waker may poll its own task at once, on the thread that wakes.
#[test]
fn a_waker_that_polls_the_waiter_at_once() {
    within_a_minute(|| {
        let tokens = tokens();
        let other = Arc::new(Mutex::new(Some(waiting(&tokens))));
        let mut one = waiting(&tokens);
        let waker = {
            let other = other.clone();
            waker(
                move || {
                    let taken = other.lock().unwrap().take();
                    if let Some(mut taken) = taken {
                        assert!(poll(&mut taken, Waker::noop()).is_ready());
                    }
                },
                (),
            )
        };
        assert!(poll(&mut one, &waker).is_pending());
        assert!(poll(other.lock().unwrap().as_mut().unwrap(), Waker::noop()).is_pending());
        tokens.set(Token::bearer("a").unwrap());
        assert!(other.lock().unwrap().is_none());
        assert!(poll(&mut one, Waker::noop()).is_ready());
    });
}

/// A grant that keeps its waker does not keep the refresh or the layer alive.
#[test]
fn a_grant_that_keeps_its_waker_keeps_nothing_alive() {
    within_a_minute(|| {
        let (kept, held) = (Arc::new(Mutex::new(Vec::<Waker>::new())), Arc::new(()));
        let layer = {
            let (kept, held) = (kept.clone(), held.clone());
            OAuth2Layer::new(grant_fn(move |_: grant::Context| {
                let (kept, held) = (kept.clone(), held.clone());
                std::future::poll_fn(move |cx| {
                    let _held = &held;
                    kept.lock().unwrap().push(cx.waker().clone());
                    Poll::Pending
                })
            }))
        };
        let tokens = layer.token_service(token_endpoint(vec![]).0).tokens();
        let mut one = waiting(&tokens);
        assert!(poll(&mut one, Waker::noop()).is_pending());
        assert!(Arc::strong_count(&held) > 1);
        drop((one, tokens));
        assert_eq!(Arc::strong_count(&held), 1);
        for waker in kept.lock().unwrap().drain(..) {
            waker.wake();
        }
    });
}
