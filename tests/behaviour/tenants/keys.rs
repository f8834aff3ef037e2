//! K1, K8: the key of a request selects its token.

use std::sync::atomic::{AtomicUsize, Ordering};

use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{Error, ErrorKind, Token};

use super::support::{
    EchoServer, Number, Tenant, grant, header_in, issue, mock_service, numbered_grant, request, request_to, sent_with,
    spawn, tenants,
};
use crate::support::{API_URL, TOKEN_URL, get, ours};

#[tokio::test(start_paused = true)]
async fn k1_each_key_has_a_token_of_its_own() {
    let layer = tenants(grant);
    let (service, mut server) = mock_service(&layer);
    for tenant in ["one", "two"] {
        let sent = spawn(&service, request(tenant));
        assert_eq!(issue(&mut server).await, tenant);
        assert_eq!(server.next_authorization().await.unwrap(), format!("Bearer {tenant}"));
        assert_eq!(sent.await.unwrap().unwrap(), 200);
    }
    for tenant in ["one", "two", "one"] {
        let sent = spawn(&service, request(tenant));
        assert_eq!(server.next_authorization().await.unwrap(), format!("Bearer {tenant}"));
        assert_eq!(sent.await.unwrap().unwrap(), 200);
    }
    assert_eq!(layer.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn k1_a_request_without_a_key_is_an_error_that_names_the_type() {
    let layer = tenants(grant);
    layer.tokens(&Tenant("one")).unwrap().set(Token::bearer("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    // The key of another layer is none for this one.
    for request in [get(API_URL), request_to(API_URL, Number(1)), request_to(API_URL, "one"), request_to(API_URL, ())] {
        let error = ours(service.clone().oneshot(request).await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!error.is_transient());
        assert!(format!("{error:?}").contains("Tenant"), "{error:?}");
        assert!(format!("{error:?}").contains("extensions"), "{error:?}");
    }
    server.assert_no_request().await;
    assert_eq!(layer.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn k1_a_request_without_a_key_does_not_get_the_token_of_the_last_request() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct OwnKey;

    let layer = TenantsLayer::new(|_: &OwnKey| numbered_grant(&Number(1)));
    let service = EchoServer::default().service(&layer);
    sent_with(&service, OwnKey).await.unwrap();
    let error = ours(service.oneshot(get(API_URL)).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

/// The only cell has a token, also for an API to which the token must not be sent.
#[tokio::test(start_paused = true)]
async fn k1_a_request_without_a_key_is_an_error_whatever_it_needs() {
    let layer = tenants(grant);
    let (service, mut server) = mock_service(&layer);
    let mut with_header = get(API_URL);
    with_header.headers_mut().insert("authorization", "Basic eDp5".parse().unwrap());
    for request in [with_header, get("http://api.example.com/"), get("/path")] {
        let error = ours(service.clone().oneshot(request).await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
    server.assert_no_request().await;
    assert!(layer.is_empty());
}

#[tokio::test(start_paused = true)]
async fn k1_an_empty_name_is_a_key_like_any_other() {
    let layer = tenants(|tenant| ClientCredentials::new(TOKEN_URL, Client::post(format!("of-{}", tenant.0), "secret")));
    let server = EchoServer::default();
    let service = server.service(&layer);
    for (tenant, header) in [("", "Bearer of--1"), ("one", "Bearer of-one-1"), ("", "Bearer of--1")] {
        assert_eq!(sent_with(&service, Tenant(tenant)).await.unwrap(), header);
    }
    assert_eq!((layer.len(), server.all_issued()), (2, 2));
}

/// A request can have keys of several types, for several layers.
#[tokio::test(start_paused = true)]
async fn k1_a_layer_uses_the_key_of_its_type() {
    let server = EchoServer::default();
    let (by_name, by_number) = (tenants(grant), TenantsLayer::new(numbered_grant));
    let (named, numbered) = (server.service(&by_name), server.service(&by_number));
    let mut both = request("one");
    both.extensions_mut().insert(Number(2));
    for (response, header) in [
        (named.clone().oneshot(both.clone()).await, "Bearer one-1"),
        (numbered.clone().oneshot(both.clone()).await, "Bearer 2-1"),
    ] {
        assert_eq!(header_in(response.unwrap()).await, header);
    }
    assert_eq!((by_name.len(), by_number.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn k8_k9_the_error_of_the_function_is_the_error_of_the_request_and_is_not_cached() {
    let attempts = AtomicUsize::new(0);
    let layer = tenants(move |tenant| match attempts.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Error::caused_by(ErrorKind::Configuration, "unknown tenant")),
        1 => panic!("a bug of the application"),
        _ => grant(tenant),
    });
    let (service, mut server) = mock_service(&layer);
    for kind in [ErrorKind::Configuration, ErrorKind::Panicked] {
        let error = ours(service.clone().oneshot(request("one")).await.unwrap_err());
        assert_eq!(error.kind(), kind);
    }
    assert!(layer.is_empty());
    let sent = spawn(&service, request("one"));
    issue(&mut server).await;
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer one");
    assert_eq!(sent.await.unwrap().unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn k8_the_error_of_one_key_concerns_no_other() {
    let layer = tenants(|tenant| match tenant.0 {
        "one" => Err(Error::caused_by(ErrorKind::Denied, "a suspended tenant")),
        _ => grant(tenant),
    });
    let server = EchoServer::default();
    let service = server.service(&layer);
    for _ in 0..3 {
        let error = ours(sent_with(&service, Tenant("one")).await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(layer.tokens(&Tenant("one")).unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(sent_with(&service, Tenant("two")).await.unwrap(), "Bearer two-1");
    }
    assert_eq!(layer.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn k9_a_panic_of_the_function_leaves_the_layer_intact_for_other_threads() {
    let layer = TenantsLayer::new(|key: &Number| if key.0 % 2 == 1 { panic!("a bug") } else { numbered_grant(key) });
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let layer = &layer;
            scope.spawn(move || {
                for key in (0..400).map(|key| key + thread) {
                    match layer.tokens(&Number(key)) {
                        Ok(tokens) => tokens.set(Token::bearer(key.to_string()).unwrap()),
                        Err(error) => assert_eq!((error.kind(), key % 2), (ErrorKind::Panicked, 1)),
                    }
                }
            });
        }
    });
    let server = EchoServer::default();
    let service = server.service(&layer);
    for key in (0..400).step_by(2) {
        assert_eq!(sent_with(&service, Number(key)).await.unwrap(), format!("Bearer {key}"));
    }
    let error = ours(sent_with(&service, Number(1)).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert_eq!(layer.len(), 202, "0 to 402, without those of a panic");
}
