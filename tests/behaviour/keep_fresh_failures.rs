//! `Tokens::keep_fresh` retries after the back-off, and several of its futures do not cause a tight loop.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tower_oauth2::grant::{self, grant_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{pass, token_endpoint};

const SECOND: Duration = Duration::from_secs(1);

fn token_for(access_token: &str, lifetime: Duration) -> Token {
    Token::bearer(access_token).unwrap().with_expires_in(lifetime)
}

/// Several `keep_fresh` futures do not wake each other to retry.
#[tokio::test(start_paused = true)]
async fn several_keep_fresh_futures_cause_no_tight_loop() {
    for kind in [ErrorKind::LoginRequired, ErrorKind::Store, ErrorKind::Overloaded] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let grant = grant_fn(move |_: grant::Context| {
            let is_enough = counter.fetch_add(1, Ordering::SeqCst) > 10_000;
            async move {
                if is_enough {
                    pending::<()>().await;
                }
                Err(Error::caused_by(kind, "not now"))
            }
        });
        let layer = OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0);
        let tokens = layer.backoff(Duration::ZERO, Duration::ZERO).unwrap().tokens();
        tokens.set(token_for("a", Duration::ZERO));
        let all: Vec<_> = (0..3).map(|_| tokio::spawn(tokens.keep_fresh())).collect();
        pass(600 * SECOND).await;
        let found = calls.load(Ordering::SeqCst);
        assert!((1..=100).contains(&found), "{kind:?}: {found} in ten minutes");
        for task in all {
            task.abort();
        }
    }
}

/// After a failure, `keep_fresh` waits only for the back-off, so that the next attempt is in time.
#[tokio::test(start_paused = true)]
async fn a_token_is_kept_fresh_even_if_one_refresh_fails() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let grant = grant_fn(move |_: grant::Context| {
        let is_first = counter.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if is_first {
                Err(Error::caused_by(ErrorKind::Overloaded, "busy"))
            } else {
                Ok(token_for("b", 3600 * SECOND))
            }
        }
    });
    let tokens = OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0).tokens();
    tokens.set(token_for("a", 60 * SECOND));
    let task = tokio::spawn(tokens.keep_fresh());
    pass(59 * SECOND).await;
    assert_eq!(tokens.peek().unwrap().access_token(), "b");
    task.abort();
}
