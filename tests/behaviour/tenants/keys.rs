//! The key of a request selects its token.

use tower::ServiceExt;
use tower_oauth2::{Error, ErrorKind, Token};

use super::support::{Tenant, grant, issue, mock_service, request, spawn, tenants};
use crate::support::{API_URL, get, ours};

#[tokio::test(start_paused = true)]
async fn each_key_has_a_token_of_its_own() {
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
async fn a_request_without_a_key_is_an_error_that_names_the_type() {
    let layer = tenants(grant);
    layer.tokens(&Tenant("one")).unwrap().set(Token::bearer("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    let error = ours(service.oneshot(get(API_URL)).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("Tenant") || format!("{error:?}").contains("Tenant"), "{error:?}");
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn the_error_of_the_function_is_the_error_of_the_request_and_is_not_cached() {
    let attempts = std::sync::atomic::AtomicUsize::new(0);
    let layer = tenants(move |tenant| match attempts.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
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
