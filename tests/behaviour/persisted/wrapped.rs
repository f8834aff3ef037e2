//! A grant that wraps a persisted grant and exchanges its token for another one.

use std::time::Duration;

use tower_oauth2::grant::{Context, Grant};
use tower_oauth2::store::{MemoryStore, TokenStore};
use tower_oauth2::{Error, Token};

use super::scripted::{Fault, Operation, Scripted};
use super::{answer, cautious, is, put, refresh, send, served, stored, token, with};
use crate::support::pass;

/// Makes its own token from that of another grant.
struct Exchange<G>(G);

impl<G: Grant> Grant for Exchange<G> {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        let subject = self.0.obtain(cx.with_previous(None)).await?;
        let access_token = format!("exchanged-{}", subject.access_token());
        Ok(Token::bearer(access_token)?.with_expires_in(Duration::from_secs(3600)))
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_that_another_process_saves_is_exchanged() {
    let store = MemoryStore::new();
    put(&store, token("a", "r1", 3600), 1).await;
    let (service, mut server) = with(Exchange(cautious(store.clone())));
    served(&service, &mut server, "exchanged-a").await;
    put(&store, token("b", "r2", 3600), 2).await;
    pass(Duration::from_millis(1)).await;
    served(&service, &mut server, "exchanged-a").await;
    service.tokens().invalidate();
    served(&service, &mut server, "exchanged-b").await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_saved_later_does_not_replace_the_exchanged_one() {
    let store = Scripted::default();
    put(&store, token("a", "r1", 0), 1).await;
    store.script(Operation::Save, Fault::Fails);
    let (service, mut server) = with(Exchange(cautious(store.clone().boxed())));
    let sent = send(&service);
    assert_eq!(refresh(&mut server, 200, answer("b", "r2")).await, "r1");
    assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer exchanged-b"));
    sent.await.unwrap().unwrap();
    store.heal();
    pass(Duration::from_secs(60)).await;
    assert_eq!(stored(&store).await, is(2, "b", "r2"));
    served(&service, &mut server, "exchanged-b").await;
}
