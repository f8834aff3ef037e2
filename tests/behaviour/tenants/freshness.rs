//! A token that is due is refreshed ahead, and only that one.

use std::time::Duration;

use tokio::time::Instant;
use tower::ServiceExt;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use super::support::{Service, Tenant, client_of, grant, issue, mock_service, request, spawn, tenants};
use crate::support::{Server, TOKEN_URL, answer, ours, pass, token};

/// A token with a lifetime of an hour becomes due between these ages, depending on the jitter.
const NOT_YET_DUE: Duration = Duration::from_secs(3600 - 301);
const DUE: Duration = Duration::from_secs(3600 - 239);

/// Returns a service whose tenants have a token of this age.
async fn aged(age: Duration) -> (Service, Server) {
    let layer = tenants(grant);
    let (service, server) = mock_service(&layer);
    for tenant in ["one", "two"] {
        let token = Token::bearer(format!("{tenant}-old")).unwrap().with_expires_in(Duration::from_secs(3600));
        layer.tokens(&Tenant(tenant)).unwrap().set(token);
    }
    pass(age).await;
    (service, server)
}

#[tokio::test(start_paused = true)]
async fn the_request_is_sent_at_once_and_one_refresh_runs_in_the_background() {
    let (service, mut server) = aged(DUE).await;
    let mut refresh = None;
    for _ in 0..5 {
        let began = Instant::now();
        let sent = spawn(&service, request("one"));
        loop {
            let (request, respond) = server.next().await;
            if request.uri() == TOKEN_URL {
                assert!(refresh.replace((request, respond)).is_none(), "two refreshes");
                continue;
            }
            assert_eq!(crate::support::authorization(&request), Some("Bearer one-old"));
            respond.send_response(answer(200, ""));
            break;
        }
        assert_eq!(sent.await.unwrap().unwrap(), 200);
        assert_eq!(began.elapsed(), Duration::ZERO, "the request waited");
        tokio::task::yield_now().await;
    }
    let (request_of_token, respond) = match refresh {
        Some(refresh) => refresh,
        None => server.next().await,
    };
    assert_eq!(client_of(&crate::support::form(request_of_token).await), "one");
    respond.send_response(answer(200, token("one-new", 3600)));
    pass(Duration::from_millis(1)).await;
    let sent = spawn(&service, request("one"));
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer one-new");
    sent.await.unwrap().unwrap();
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn before_that_none_runs() {
    let (service, mut server) = aged(NOT_YET_DUE).await;
    for tenant in ["one", "two"] {
        let sent = spawn(&service, request(tenant));
        assert_eq!(server.next_authorization().await.unwrap(), format!("Bearer {tenant}-old"));
        sent.await.unwrap().unwrap();
    }
    server.assert_no_request().await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_not_sent() {
    let (service, mut server) = aged(Duration::from_secs(3601)).await;
    let sent = spawn(&service, request("two"));
    assert_eq!(issue(&mut server).await, "two");
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer two");
    sent.await.unwrap().unwrap();
    server.assert_no_request().await;
}

/// The timing of one tenant.
#[tokio::test(start_paused = true)]
async fn each_tenant_has_its_own_timing() {
    let layer = tenants(|tenant| {
        let layer = OAuth2Layer::new(grant(tenant)?);
        Ok(if tenant.0 == "one" { layer.max_wait(Duration::from_millis(500)) } else { layer })
    });
    let (service, mut server) = mock_service(&layer);
    let began = Instant::now();
    let error = ours(service.clone().oneshot(request("one")).await.unwrap_err());
    assert_eq!((error.kind(), began.elapsed()), (ErrorKind::Timeout, Duration::from_millis(500)));
    let other = spawn(&service, request("two"));
    let (_, of_one) = server.token_request().await;
    let (_, of_two) = server.token_request().await;
    pass(Duration::from_secs(20)).await;
    assert!(!other.is_finished());
    of_two.send_response(answer(200, token("two", 3600)));
    server.next_authorization().await;
    other.await.unwrap().unwrap();
    // The refresh of `one` has continued.
    of_one.send_response(answer(200, token("one", 3600)));
    pass(Duration::from_millis(1)).await;
    let sent = spawn(&service, request("one"));
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer one");
    sent.await.unwrap().unwrap();
}
