//! K7: `forget` and revocation by key touch one tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinSet;
use tower::ServiceExt;
use tower_oauth2::Token;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::RevocationEndpoint;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::retry::TokenRejected;
use tower_oauth2::store::MemoryStore;
use tower_oauth2::tenants::TenantsLayer;

use super::support::{
    EchoServer, Number, Tenant, grant, header_in, issue, mock_service, numbered_grant, request, request_to, sent_with,
    spawn, tenants,
};
use crate::support::{API_URL, TOKEN_URL, answer, form, token};

#[tokio::test(start_paused = true)]
async fn k7_the_next_request_of_the_key_calls_the_function_again() {
    let version = Arc::new(AtomicUsize::new(1));
    let current = version.clone();
    let layer = tenants(move |tenant| {
        let client = format!("{}-v{}", tenant.0, current.load(Ordering::SeqCst));
        ClientCredentials::new(TOKEN_URL, Client::post(client, "secret"))
    });
    let server = EchoServer::default();
    let service = server.service(&layer);
    for tenant in ["one", "two"] {
        assert_eq!(sent_with(&service, Tenant(tenant)).await.unwrap(), format!("Bearer {tenant}-v1-1"));
    }
    version.store(2, Ordering::SeqCst);
    // A clone shares the cells.
    layer.clone().forget(&Tenant("one"));
    assert_eq!(layer.len(), 1);
    for (tenant, version) in [("one", 2), ("two", 1)] {
        assert_eq!(sent_with(&service, Tenant(tenant)).await.unwrap(), format!("Bearer {tenant}-v{version}-1"));
    }
}

#[tokio::test(start_paused = true)]
async fn k7_an_unknown_key_is_nothing_to_forget() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let layer = tenants(move |tenant| {
        counter.fetch_add(1, Ordering::SeqCst);
        grant(tenant)
    });
    layer.forget(&Tenant("one"));
    assert!(layer.is_empty());
    let two = layer.tokens(&Tenant("two")).unwrap();
    two.set(Token::bearer("a").unwrap());
    layer.forget(&Tenant("one"));
    layer.forget(&Tenant("one"));
    assert_eq!((layer.len(), calls.load(Ordering::SeqCst)), (1, 1));
    assert!(two.peek().is_some());
    layer.forget(&Tenant("two"));
    layer.forget(&Tenant("two"));
    assert!(layer.is_empty() && two.peek().is_none());
}

/// Requests that wait continue with the removed cell. Requests after that share another one.
#[tokio::test(start_paused = true)]
async fn k7_while_requests_wait() {
    let layer = tenants(grant);
    let (service, mut server) = mock_service(&layer);
    let waiting = [(); 3].map(|()| spawn(&service, request("one")));
    let (_, late) = server.token_request().await;
    layer.forget(&Tenant("one"));
    assert!(layer.is_empty());
    late.send_response(answer(200, token("forgotten", 3600)));
    let (_, of_waiting) = server.token_request().await;
    let after = [(); 3].map(|()| spawn(&service, request("one")));
    let (_, of_new) = server.token_request().await;
    assert_eq!(layer.len(), 1);
    of_waiting.send_response(answer(200, token("old-cell", 3600)));
    for _ in 0..3 {
        assert_eq!(server.next_authorization().await.unwrap(), "Bearer old-cell");
    }
    of_new.send_response(answer(200, token("new-cell", 3600)));
    for _ in 0..3 {
        assert_eq!(server.next_authorization().await.unwrap(), "Bearer new-cell");
    }
    for sent in waiting.into_iter().chain(after) {
        assert_eq!(sent.await.unwrap().unwrap(), 200);
    }
    server.assert_no_request().await;
    assert_eq!(layer.tokens(&Tenant("one")).unwrap().peek().unwrap().access_token(), "new-cell");
}

/// The late rejection of a forgotten token starts no refresh, neither of the removed cell nor of the new one.
#[tokio::test(start_paused = true)]
async fn k7_while_a_request_is_under_way() {
    let layer = tenants(grant);
    let (service, mut server) = mock_service(&layer);
    layer.tokens(&Tenant("one")).unwrap().set(Token::bearer("old").unwrap());
    for status in [200, 401] {
        let sent = tokio::spawn(service.clone().oneshot(request("one")));
        let (_, respond) = server.next().await;
        if status == 401 {
            layer.forget(&Tenant("one"));
            layer.tokens(&Tenant("one")).unwrap().set(Token::bearer("new").unwrap());
        }
        respond.send_response(answer(status, ""));
        let response = sent.await.unwrap().unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.extensions().get::<TokenRejected>().is_some(), status == 401);
    }
    server.assert_no_request().await;
    assert_eq!(layer.tokens(&Tenant("one")).unwrap().peek().unwrap().access_token(), "new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn k7_concurrently_with_requests() {
    let (layer, server) = (TenantsLayer::new(numbered_grant), EchoServer::default());
    let layer = layer.max_tenants(8).unwrap();
    let service = server.service(&layer);
    let ended = Arc::new(AtomicBool::new(false));
    let (forgetting, has_ended) = (layer.clone(), ended.clone());
    let forgetter = std::thread::spawn(move || {
        while !has_ended.load(Ordering::SeqCst) {
            (0..16).for_each(|key| forgetting.forget(&Number(key)));
            std::thread::yield_now();
        }
    });
    let mut all = JoinSet::new();
    for request in 0..2000 {
        let key = request % 16;
        let sent = service.clone().oneshot(request_to(API_URL, Number(key)));
        all.spawn(futures_util::TryFutureExt::map_ok(sent, move |response| (key, response)));
    }
    while let Some(sent) = all.join_next().await {
        let (key, response) = sent.unwrap().unwrap();
        let header = header_in(response).await;
        assert!(header.starts_with(&format!("Bearer {key}-")), "{header} for {key}");
    }
    ended.store(true, Ordering::SeqCst);
    forgetter.join().unwrap();
    (0..16).for_each(|key| layer.forget(&Number(key)));
    assert!(layer.is_empty());
    assert_eq!(sent_with(&service, Number(3)).await.unwrap(), format!("Bearer 3-{}", server.issued("3")));
}

#[tokio::test(start_paused = true)]
async fn k7_revocation_by_key() {
    const REVOCATION_URL: &str = "https://auth.example.com/revoke";
    let layer = tenants(grant);
    let (service, mut server) = mock_service(&layer);
    service.clone().ready().await.unwrap();
    for tenant in ["one", "two"] {
        let token = Token::bearer(format!("of-{tenant}")).unwrap().with_refresh_token(format!("r-{tenant}"));
        layer.tokens(&Tenant(tenant)).unwrap().set(token);
    }
    let endpoint = RevocationEndpoint::new(REVOCATION_URL, Client::basic("id", "secret")).unwrap();
    let one = layer.tokens(&Tenant("one")).unwrap();
    let revoked = tokio::spawn(async move { one.revoke(&endpoint).await });
    for token in ["r-one", "of-one"] {
        let (request, respond) = server.next().await;
        assert_eq!(request.uri(), REVOCATION_URL);
        assert_eq!(form(request).await[0].1, token);
        respond.send_response(answer(200, ""));
    }
    revoked.await.unwrap().unwrap();
    layer.forget(&Tenant("one"));
    server.assert_no_request().await;
    let sent = [spawn(&service, request("two")), spawn(&service, request("one"))];
    let mut headers = vec![server.next_authorization().await.unwrap()];
    assert_eq!(issue(&mut server).await, "one");
    headers.push(server.next_authorization().await.unwrap());
    assert_eq!(headers, ["Bearer of-two", "Bearer one"]);
    for sent in sent {
        sent.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn k7_the_store_keeps_its_entry() {
    let store = Arc::new(MemoryStore::new());
    let layer = tenants(move |tenant| Ok(grant(tenant)?.persisted(store.clone()).subject(tenant.0)));
    let server = EchoServer::default();
    let service = server.service(&layer);
    for _ in 0..3 {
        for tenant in ["one", "two"] {
            assert_eq!(sent_with(&service, Tenant(tenant)).await.unwrap(), format!("Bearer {tenant}-1"));
            layer.forget(&Tenant(tenant));
        }
    }
    assert!(layer.is_empty());
    assert_eq!(server.all_issued(), 2);
}
