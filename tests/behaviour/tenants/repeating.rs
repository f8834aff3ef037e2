//! K11: a request that is repeated keeps its key, and waits for a newer token of its own cell.

use std::time::Duration;

use http::Request;
use tower::retry::RetryLayer;
use tower::{Layer, ServiceExt};
use tower_oauth2::Token;
use tower_oauth2::retry::{RetryUnauthorized, TokenRejected};

use super::support::{
    EchoServer, Number, Tenant, client_of, grant, header_in, mock_service, numbered, request, request_to, sent_with,
    spawn, tenants,
};
use crate::support::{API_URL, Body, TOKEN_URL, answer, authorization, pass, spawn_refresh, token};

fn post(tenant: &'static str) -> Request<Body> {
    let mut request = Request::post(API_URL).body(Body::from("hello")).unwrap();
    request.extensions_mut().insert(Tenant(tenant));
    request
}

#[tokio::test(start_paused = true)]
async fn k11_the_repeated_request_has_its_key_and_a_newer_token() {
    let (layer, server) = (tenants(grant), EchoServer::default());
    let inner = server.service(&layer);
    let plain = RetryLayer::new(RetryUnauthorized::new()).layer(inner.clone());
    let buffered = RetryLayer::new(RetryUnauthorized::new().buffered(1024)).layer(inner.clone());
    let copy = |body: &Body| Some(body.clone());
    let replayed = RetryLayer::new(RetryUnauthorized::new().replay(copy)).layer(inner.clone());
    let only_replayed = RetryLayer::new(RetryUnauthorized::new().replay_only(copy)).layer(inner.clone());
    let names = ["one", "two", "three", "four"];
    for tenant in names {
        sent_with(&inner, Tenant(tenant)).await.unwrap();
        server.reject(&format!("{tenant}-1"));
    }
    assert_eq!(header_in(plain.oneshot(request("one")).await.unwrap()).await, "Bearer one-2");
    assert_eq!(header_in(buffered.oneshot(post("two")).await.unwrap()).await, "Bearer two-2");
    assert_eq!(header_in(replayed.oneshot(post("three")).await.unwrap()).await, "Bearer three-2");
    assert_eq!(header_in(only_replayed.oneshot(post("four")).await.unwrap()).await, "Bearer four-2");
    assert_eq!(names.map(|tenant| server.issued(tenant)), [2, 2, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn k11_the_repeated_request_waits_for_the_refresh_of_its_cell_only() {
    let layer = tenants(grant);
    for tenant in ["one", "two"] {
        layer.tokens(&Tenant(tenant)).unwrap().set(Token::bearer(format!("{tenant}-old")).unwrap());
    }
    let (service, mut server) = mock_service(&layer);
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(service);
    let sent = ["one", "two"].map(|tenant| tokio::spawn(service.clone().oneshot(request(tenant))));
    for tenant in ["one", "two"] {
        let (request, respond) = server.next().await;
        assert_eq!(authorization(&request).unwrap(), format!("Bearer {tenant}-old"));
        respond.send_response(answer(401, ""));
    }
    let mut refreshes = Vec::new();
    for _ in 0..2 {
        let (form, respond) = server.token_request().await;
        refreshes.push((client_of(&form), respond));
    }
    // The second refresh ends first, and only its request is sent.
    for (tenant, respond) in refreshes.into_iter().rev() {
        respond.send_response(answer(200, token(&format!("{tenant}-new"), 3600)));
        let (request, respond) = server.next().await;
        assert_eq!(authorization(&request).unwrap(), format!("Bearer {tenant}-new"));
        assert_eq!(request.extensions().get(), Some(&Tenant(if tenant == "one" { "one" } else { "two" })));
        respond.send_response(answer(200, ""));
    }
    for sent in sent {
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn k11_the_cell_was_forgotten_in_between() {
    let layer = tenants(grant);
    layer.tokens(&Tenant("one")).unwrap().set(Token::bearer("old").unwrap());
    let (service, mut server) = mock_service(&layer);
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(service);
    let sent = tokio::spawn(service.oneshot(request("one")));
    let (_, respond) = server.next().await;
    layer.forget(&Tenant("one"));
    // Another cell whose token the rejection does not concern.
    layer.tokens(&Tenant("one")).unwrap().set(Token::bearer("new").unwrap());
    respond.send_response(answer(401, ""));
    let (request, respond) = server.next().await;
    assert_eq!(authorization(&request), Some("Bearer new"));
    respond.send_response(answer(200, ""));
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    server.assert_no_request().await;
}

/// A policy of the application repeats the request later, when its cell exists no more.
#[tokio::test(start_paused = true)]
async fn k11_the_cell_was_dropped_in_between() {
    let (layer, server) = (numbered(1), EchoServer::default());
    let service = server.service(&layer);
    assert_eq!(sent_with(&service, Number(1)).await.unwrap(), "Bearer 1-1");
    server.reject("1-1");
    let response = service.clone().oneshot(request_to(API_URL, Number(1))).await.unwrap();
    let rejected = response.extensions().get::<TokenRejected>().unwrap().clone();
    assert!(rejected.is_retryable());
    pass(Duration::from_secs(1)).await;
    for key in 1000..1010 {
        layer.tokens(&Number(key)).unwrap();
    }
    let mut again = request_to(API_URL, Number(1));
    rejected.prepare_retry(&mut again);
    let repeated = service.clone().oneshot(again).await.unwrap();
    // 1-2 was the token of the dropped cell.
    assert_eq!(header_in(repeated).await, "Bearer 1-3");
    assert_eq!(server.issued("1"), 3);
}

/// The mark of one tenant on the request of another: the request needs no newer token.
#[tokio::test(start_paused = true)]
async fn k11_a_mark_of_another_cell_has_no_effect() {
    let (layer, server) = (tenants(grant), EchoServer::default());
    let service = server.service(&layer);
    for tenant in ["one", "two"] {
        sent_with(&service, Tenant(tenant)).await.unwrap();
    }
    server.reject("one-1");
    let response = service.clone().oneshot(request("one")).await.unwrap();
    let rejected = response.extensions().get::<TokenRejected>().unwrap().clone();
    let mut of_two = request("two");
    rejected.prepare_retry(&mut of_two);
    assert_eq!(header_in(service.clone().oneshot(of_two).await.unwrap()).await, "Bearer two-1");
    assert_eq!(server.issued("two"), 1);
}

/// A refresh of its own cell runs meanwhile.
#[tokio::test(start_paused = true)]
async fn k11_a_request_with_a_mark_of_another_cell_does_not_wait() {
    let layer = tenants(grant);
    let handles = ["one", "two"].map(|tenant| layer.tokens(&Tenant(tenant)).unwrap());
    for (handle, token) in handles.iter().zip(["one", "two"]) {
        handle.set(Token::bearer(token).unwrap());
    }
    let (service, mut server) = mock_service(&layer);
    let rejected = tokio::spawn(service.clone().oneshot(request("two")));
    let (_, respond) = server.next().await;
    respond.send_response(answer(401, ""));
    let mark = rejected.await.unwrap().unwrap().extensions().get::<TokenRejected>().unwrap().clone();
    let (_, _of_two) = server.token_request().await;
    let _refresh = spawn_refresh(&handles[0]);
    let (_, _of_one) = server.token_request().await;
    let mut marked = request("one");
    mark.prepare_retry(&mut marked);
    let sent = spawn(&service, marked);
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer one");
    assert_eq!(sent.await.unwrap().unwrap(), 200);
}

/// A newer token that has arrived meanwhile is used at once, and one that has not is awaited although the old one is fresh.
#[tokio::test(start_paused = true)]
async fn k11_a_fresh_token_that_was_rejected_is_not_sent_again() {
    let layer = tenants(grant);
    let (service, mut server) = mock_service(&layer);
    layer.tokens(&Tenant("one")).unwrap().set(Token::bearer("a").unwrap());
    for status in [200, 401] {
        let sent = tokio::spawn(service.clone().oneshot(request("one")));
        let (_, respond) = server.next().await;
        respond.send_response(answer(status, ""));
        let response = sent.await.unwrap().unwrap();
        if status == 401 {
            let rejected = response.extensions().get::<TokenRejected>().unwrap();
            let mut again = request("one");
            rejected.prepare_retry(&mut again);
            let sent = tokio::spawn(service.clone().oneshot(again));
            // An accepted token stays in use for other requests, but not for this one.
            let (request, respond) = server.next().await;
            assert_eq!(request.uri(), TOKEN_URL);
            server.assert_no_request().await;
            respond.send_response(answer(200, token("b", 3600)));
            assert_eq!(server.next_authorization().await.unwrap(), "Bearer b");
            assert_eq!(sent.await.unwrap().unwrap().status(), 200);
        }
    }
}
