//! K12: a token is sent to the origins of its tenant.

use tower::ServiceExt;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::support::{EchoServer, Tenant, grant, header_in, request_to, tenants};
use crate::support::ours;

fn origin(tenant: &str) -> String {
    format!("https://{tenant}.example.com")
}

#[tokio::test(start_paused = true)]
async fn k12_a_request_to_the_origin_of_another_tenant_is_sent_without_the_token() {
    let layer = tenants(|tenant| OAuth2Layer::new(grant(tenant)?).origin(origin(tenant.0)));
    let server = EchoServer::default();
    let service = server.service(&layer);
    for round in 0..2 {
        for tenant in ["one", "two"] {
            for host in ["one", "two", "elsewhere"] {
                let request = request_to(&origin(host), Tenant(tenant));
                let header = header_in(service.clone().oneshot(request).await.unwrap()).await;
                let expected = if tenant == host { format!("Bearer {tenant}-1") } else { "none".to_owned() };
                assert_eq!(header, expected, "{tenant} to {host}, {round}");
            }
        }
    }
    assert_eq!(server.all_issued(), 2);
}

/// The first request of a tenant needs no token, so it causes no token request.
#[tokio::test(start_paused = true)]
async fn k12_a_request_that_needs_no_token_obtains_none() {
    let layer = tenants(|tenant| OAuth2Layer::new(grant(tenant)?).origin(origin(tenant.0)));
    let server = EchoServer::default();
    let request = request_to(&origin("two"), Tenant("one"));
    assert_eq!(header_in(server.service(&layer).oneshot(request).await.unwrap()).await, "none");
    assert_eq!(server.all_issued(), 0);
}

#[tokio::test(start_paused = true)]
async fn k12_or_it_is_denied_by_the_option_of_its_tenant() {
    let layer = tenants(|tenant| {
        let layer = OAuth2Layer::new(grant(tenant)?).origin(origin(tenant.0))?;
        Ok(if tenant.0 == "one" { layer.deny_other_origins() } else { layer })
    });
    let server = EchoServer::default();
    let service = server.service(&layer);
    for _ in 0..2 {
        let denied = service.clone().oneshot(request_to(&origin("two"), Tenant("one"))).await.unwrap_err();
        assert_eq!(ours(denied).kind(), ErrorKind::OriginDenied);
        let request = request_to(&origin("one"), Tenant("two"));
        assert_eq!(header_in(service.clone().oneshot(request).await.unwrap()).await, "none");
        let request = request_to(&origin("one"), Tenant("one"));
        assert_eq!(header_in(service.clone().oneshot(request).await.unwrap()).await, "Bearer one-1");
    }
}

#[tokio::test(start_paused = true)]
async fn k12_cleartext_is_denied_also_with_a_fresh_token() {
    let (layer, server) = (tenants(grant), EchoServer::default());
    let service = server.service(&layer);
    for _ in 0..2 {
        let denied = service.clone().oneshot(request_to("http://api.example.com/", Tenant("one"))).await.unwrap_err();
        assert_eq!(ours(denied).kind(), ErrorKind::Cleartext);
        super::support::sent_with(&service, Tenant("one")).await.unwrap();
    }
}
