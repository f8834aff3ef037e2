//! The options of the layer that the function returns apply to its tenant.

use http::StatusCode;
use tower::{ServiceExt, retry::RetryLayer};
use tower_oauth2::retry::{RejectionReason, RetryUnauthorized, TokenRejected};
use tower_oauth2::{OAuth2Layer, Token};

use super::support::{EchoServer, Tenant, grant, header_in, issue, mock_service, request, spawn, tenants};
use crate::support::{answer, authorization, token};

#[tokio::test(start_paused = true)]
async fn a_header_of_the_request_is_kept_unless_the_tenant_overrides_it() {
    let layer = tenants(|tenant| {
        let layer = OAuth2Layer::new(grant(tenant)?);
        Ok(if tenant.0 == "overriding" { layer.override_authorization() } else { layer })
    });
    let server = EchoServer::default();
    let service = server.service(&layer);
    // First without a token, then with a fresh one.
    for _ in 0..3 {
        for (tenant, expected) in [("keeping", "Basic eDp5"), ("overriding", "Bearer overriding-1")] {
            let mut request = request(tenant);
            request.headers_mut().insert("authorization", "Basic eDp5".parse().unwrap());
            assert_eq!(header_in(service.clone().oneshot(request).await.unwrap()).await, expected);
        }
    }
    assert_eq!((server.issued("keeping"), server.issued("overriding")), (0, 1));
    layer.tokens(&Tenant("keeping")).unwrap().set(Token::bearer("a").unwrap());
    for _ in 0..2 {
        let mut request = request("keeping");
        request.headers_mut().insert("authorization", "Basic eDp5".parse().unwrap());
        assert_eq!(header_in(service.clone().oneshot(request).await.unwrap()).await, "Basic eDp5");
    }
}

/// A token that was accepted is attached before the headers are checked.
#[tokio::test(start_paused = true)]
async fn a_request_with_a_header_of_its_own_does_not_carry_the_token_beside_it() {
    let layer = tenants(grant);
    layer.tokens(&Tenant("one")).unwrap().set(Token::bearer("a").unwrap());
    let (service, mut server) = mock_service(&layer);
    for header in ["Bearer a", "Basic eDp5"] {
        let mut request = request("one");
        if header.starts_with("Basic") {
            request.headers_mut().insert("authorization", header.parse().unwrap());
        }
        let sent = spawn(&service, request);
        let (request, respond) = server.next().await;
        assert_eq!(request.headers().get_all("authorization").iter().collect::<Vec<_>>(), [header]);
        respond.send_response(answer(200, ""));
        sent.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_scheme_and_a_header_of_their_own() {
    let layer = tenants(|tenant| {
        let layer = OAuth2Layer::new(grant(tenant)?);
        match tenant.0 {
            "scheme" => layer.authorization_scheme("token"),
            "header" => Ok(layer.authorization_header(http::HeaderName::from_static("x-access-token"))),
            _ => Ok(layer),
        }
    });
    let (service, mut server) = mock_service(&layer);
    for (tenant, header, value) in [
        ("scheme", "authorization", "token scheme"),
        ("header", "x-access-token", "Bearer header"),
        ("neither", "authorization", "Bearer neither"),
    ] {
        for round in 0..3 {
            let sent = spawn(&service, request(tenant));
            if round == 0 {
                issue(&mut server).await;
            }
            let (request, respond) = server.next().await;
            assert_eq!(request.headers()[header], value);
            assert_eq!(request.headers().len(), 1, "{request:?}");
            assert!(request.headers()[header].is_sensitive());
            respond.send_response(answer(200, ""));
            sent.await.unwrap().unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_predicate_for_rejections_concerns_its_tenant() {
    let layer = tenants(|tenant| {
        let layer = OAuth2Layer::new(grant(tenant)?);
        Ok(if tenant.0 == "one" { layer.reject_when(|status, _| status == StatusCode::FORBIDDEN) } else { layer })
    });
    let (service, mut server) = mock_service(&layer);
    for tenant in ["one", "two"] {
        layer.tokens(&Tenant(tenant)).unwrap().set(Token::bearer("a").unwrap());
        for status in [200, 403] {
            let sent = tokio::spawn(service.clone().oneshot(request(tenant)));
            let (_, respond) = server.next().await;
            respond.send_response(answer(status, ""));
            let response = sent.await.unwrap().unwrap();
            let is_rejected = response.extensions().get::<TokenRejected>().is_some();
            assert_eq!(is_rejected, tenant == "one" && status == 403, "{tenant}, {status}");
        }
        if tenant == "one" {
            assert_eq!(issue(&mut server).await, "one");
        }
        server.assert_no_request().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_whose_requests_are_sent_without_a_token_until_a_server_demands_one() {
    let layer = tenants(|tenant| {
        let layer = OAuth2Layer::new(grant(tenant)?).origin("https://api.example.com")?;
        Ok(if tenant.0 == "one" { layer.on_challenge() } else { layer })
    });
    let (service, mut server) = mock_service(&layer);
    let service = tower::Layer::layer(&RetryLayer::new(RetryUnauthorized::new()), service);
    let sent = tokio::spawn(service.clone().oneshot(request("one")));
    let (sent_request, respond) = server.next().await;
    assert_eq!(authorization(&sent_request), None);
    let mut challenge = answer(401, "");
    challenge.headers_mut().insert("www-authenticate", "Bearer".parse().unwrap());
    respond.send_response(challenge);
    assert_eq!(issue(&mut server).await, "one");
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer one");
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    // The other one obtains its token first.
    let sent = tokio::spawn(service.oneshot(request("two")));
    assert_eq!(issue(&mut server).await, "two");
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer two");
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_demands_more_is_repeated_with_it() {
    let layer = tenants(|tenant| Ok(OAuth2Layer::new(grant(tenant)?).step_up()));
    let (service, mut server) = mock_service(&layer);
    let service = tower::Layer::layer(&RetryLayer::new(RetryUnauthorized::new()), service);
    // The second token was accepted, so its requests are sent without other checks.
    layer.tokens(&Tenant("one")).unwrap().set(Token::bearer("a").unwrap());
    for status in [200, 403] {
        let sent = tokio::spawn(service.clone().oneshot(request("one")));
        let (request, respond) = server.next().await;
        assert_eq!(authorization(&request), Some("Bearer a"));
        let mut response = answer(status, "");
        if status == 403 {
            let demand = r#"Bearer error="insufficient_scope", scope="write""#;
            response.headers_mut().insert("www-authenticate", demand.parse().unwrap());
        }
        respond.send_response(response);
        if status == 403 {
            let (form, respond) = server.token_request().await;
            assert!(form.contains(&("scope".into(), "write".into())), "{form:?}");
            respond.send_response(answer(200, token("b", 3600)));
            assert_eq!(server.next_authorization().await.unwrap(), "Bearer b");
        }
        let response = sent.await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
    }
}

/// A token that a grant has from the start.
#[tokio::test(start_paused = true)]
async fn an_initial_token_of_a_tenant() {
    let layer = tenants(|tenant| Ok(grant(tenant)?.token(Token::bearer(format!("initial-{}", tenant.0))?)));
    let (service, mut server) = mock_service(&layer);
    for tenant in ["one", "two"] {
        let sent = tokio::spawn(service.clone().oneshot(request(tenant)));
        let (request, respond) = server.next().await;
        assert_eq!(authorization(&request).unwrap(), format!("Bearer initial-{tenant}"));
        respond.send_response(answer(401, ""));
        let response = sent.await.unwrap().unwrap();
        assert_eq!(response.extensions().get::<TokenRejected>().unwrap().reason(), RejectionReason::Token);
        assert_eq!(issue(&mut server).await, tenant);
    }
}
