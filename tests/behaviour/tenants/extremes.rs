//! Tokens without a lifetime, keys that are equal but not the same, and missing runtimes.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_test::task;
use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::support::{
    EchoServer, Number, Tenant, grant, issue, mock_service, numbered_grant, request, request_to, sent_with, spawn,
    tenants,
};
use crate::support::{API_URL, TOKEN_URL, answer, token};

/// Each request would otherwise wait for a token that is not expired.
#[tokio::test(start_paused = true)]
async fn a_token_that_has_expired_on_arrival_is_sent_by_the_requests_that_wait_for_it() {
    let (service, mut server) = mock_service(&tenants(grant));
    for (access_token, requests) in [("first", 2), ("second", 1)] {
        let sent: Vec<_> = (0..requests).map(|_| spawn(&service, request("one"))).collect();
        server.issue_token(token(access_token, 0)).await;
        for sent in sent {
            assert_eq!(server.next_authorization().await.unwrap(), format!("Bearer {access_token}"));
            assert_eq!(sent.await.unwrap().unwrap(), 200);
        }
    }
    server.assert_no_request().await;
}

/// A key with a part that `Eq` ignores.
#[derive(Clone)]
struct Account {
    id: u8,
    client: Arc<str>,
}

impl PartialEq for Account {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Account {}

impl Hash for Account {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

#[tokio::test(start_paused = true)]
async fn of_equal_keys_the_first_one_makes_the_grant() {
    let layer = TenantsLayer::new(|account: &Account| {
        ClientCredentials::new(TOKEN_URL, Client::post(account.client.to_string(), "secret"))
    });
    let service = EchoServer::default().service(&layer);
    let account = |client: &str| Account { id: 1, client: client.into() };
    for client in ["first", "second"] {
        assert_eq!(sent_with(&service, account(client)).await.unwrap(), "Bearer first-1");
    }
    layer.forget(&account("third"));
    assert_eq!(sent_with(&service, account("fourth")).await.unwrap(), "Bearer fourth-1");
    assert_eq!(layer.len(), 1);
}

/// Outside of a runtime.
#[test]
fn a_handle_needs_a_service_and_no_runtime() {
    let layer = tenants(grant);
    let tokens = layer.tokens(&Tenant("one")).unwrap();
    let without_service = task::spawn(tokens.get()).poll();
    assert!(matches!(without_service, std::task::Poll::Ready(Err(error)) if error.kind() == ErrorKind::NoTransport));
    let mut service = EchoServer::default().service(&layer);
    assert!(task::spawn(service.ready()).poll().is_ready());
    let with_service = task::spawn(tokens.get()).poll();
    assert!(matches!(with_service, std::task::Poll::Ready(Ok(token)) if token.access_token() == "one-1"));
}

/// Each request is polled once and dropped, so nothing polls its refresh.
#[test]
fn k3_a_refresh_that_nothing_polls_does_not_keep_its_cell() {
    let layer =
        TenantsLayer::new(|key: &Number| OAuth2Layer::new(numbered_grant(key)?).token_timeout(Duration::from_secs(1)));
    let (layer, server) = (layer.max_tenants(3).unwrap(), EchoServer::default());
    let service = server.service(&layer);
    for key in 0..50 {
        server.hang(&key.to_string());
        let mut sent = task::spawn(service.clone().oneshot(request_to(API_URL, Number(key))));
        assert!(sent.poll().is_pending());
    }
    let end = Instant::now() + Duration::from_secs(60);
    for key in 50.. {
        layer.tokens(&Number(key)).unwrap();
        if layer.len() <= 3 {
            return;
        }
        assert!(Instant::now() < end, "{} cells", layer.len());
        std::thread::yield_now();
    }
}

/// It is not started again, because the server may have replaced its refresh token.
#[test]
fn a_refresh_whose_runtime_was_shut_down_is_continued_by_the_next_request() {
    let (service, mut server) = mock_service(&tenants(grant));
    let first = Runtime::new().unwrap();
    let respond = first.block_on(async {
        spawn(&service, request("one"));
        server.token_request().await.1
    });
    drop(first);
    Runtime::new().unwrap().block_on(async {
        let sent = spawn(&service, request("one"));
        respond.send_response(answer(200, token("continued", 3600)));
        assert_eq!(server.next_authorization().await.unwrap(), "Bearer continued");
        assert_eq!(sent.await.unwrap().unwrap(), 200);
        // Other keys obtain their tokens in this runtime.
        let sent = spawn(&service, request("two"));
        assert_eq!(issue(&mut server).await, "two");
        assert_eq!(server.next_authorization().await.unwrap(), "Bearer two");
        assert_eq!(sent.await.unwrap().unwrap(), 200);
    });
}
