//! Further rejections of the same token do not wake the waiters.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use tower_oauth2::grant::{self, grant_fn};
use tower_oauth2::{OAuth2Layer, Token};

use crate::support::token_endpoint;

struct CountsWakes(AtomicUsize);

impl std::task::Wake for CountsWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// When a token is rejected, many requests may be in flight with it. Only the first rejection has an effect.
#[tokio::test(start_paused = true)]
async fn a_rejection_without_effect_wakes_no_waiter() {
    let grant = grant_fn(async |_: grant::Context| pending().await);
    let tokens = OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0).tokens();
    let token = Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(3600));
    tokens.set(token.clone());
    tokens.reject(&token);
    let wakes = Arc::new(CountsWakes(AtomicUsize::new(0)));
    let waker = Waker::from(wakes.clone());
    let mut waiting = pin!(tokens.get());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    for _ in 0..100 {
        tokens.reject(&token);
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
}
