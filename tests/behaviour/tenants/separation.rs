//! K2: two keys never see each other's token, refresh token, failure, back-off, rejection, challenge or nonce.

use std::time::Duration;

use serde_json::{Value, json};
use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use super::support::{EchoServer, Tenant, client_of, grant, issue, mock_service, request, sent_with, spawn, tenants};
use crate::dpop::{bound_token, dpop, proof, with_nonce};
use crate::support::{Server, TOKEN_URL, answer, ours, pass, token};

const HOURS: Duration = Duration::from_secs(2 * 3600);

/// Responds to the next request, which must be for the API, and returns its `Authorization` header.
async fn respond(server: &mut Server, response: http::Response<crate::support::Body>) -> String {
    let (request, respond) = server.next().await;
    assert_ne!(request.uri(), TOKEN_URL);
    respond.send_response(response);
    crate::support::authorization(&request).unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn k2_each_key_keeps_its_own_refresh_token() {
    let layer = tenants(|tenant| RefreshToken::new(TOKEN_URL, Client::public(tenant.0), format!("{}-0", tenant.0)));
    let (service, mut server) = mock_service(&layer);
    for round in 0..3 {
        for tenant in ["one", "two"] {
            let sent = spawn(&service, request(tenant));
            let (form, respond) = server.token_request().await;
            assert_eq!(client_of(&form), tenant);
            assert!(form.contains(&("refresh_token".into(), format!("{tenant}-{round}"))), "{form:?}");
            let mut issued = token(&format!("{tenant}-access-{round}"), 3600);
            issued["refresh_token"] = format!("{tenant}-{}", round + 1).into();
            respond.send_response(answer(200, issued));
            let header = server.next_authorization().await.unwrap();
            assert_eq!(header, format!("Bearer {tenant}-access-{round}"));
            sent.await.unwrap().unwrap();
        }
        pass(HOURS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn k2_a_failure_and_its_back_off_concern_one_key() {
    let layer = tenants(grant);
    let (service, mut server) = mock_service(&layer);
    let failing = spawn(&service, request("one"));
    let (_, respond) = server.token_request().await;
    respond.send_response(answer(503, ""));
    assert_eq!(ours(failing.await.unwrap().unwrap_err()).kind(), ErrorKind::Overloaded);
    // The cached error of one key, and the token request of another.
    let cached = ours(service.clone().oneshot(request("one")).await.unwrap_err());
    assert_eq!(cached.kind(), ErrorKind::Overloaded);
    assert!(cached.retry_at().is_some());
    server.assert_no_request().await;
    let sent = spawn(&service, request("two"));
    assert_eq!(issue(&mut server).await, "two");
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
    // The success of the other key does not end the back-off.
    assert_eq!(ours(service.clone().oneshot(request("one")).await.unwrap_err()).kind(), ErrorKind::Overloaded);
    server.assert_no_request().await;
    pass(Duration::from_secs(2)).await;
    let sent = spawn(&service, request("one"));
    assert_eq!(issue(&mut server).await, "one");
    assert_eq!(server.next_authorization().await.unwrap(), "Bearer one");
    sent.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn k2_a_rejection_refreshes_the_token_of_one_key() {
    let (layer, server) = (tenants(grant), EchoServer::default());
    let service = server.service(&layer);
    // The second round has tokens that were accepted, which are sent without a check of their responses.
    for round in [1, 1] {
        for tenant in ["one", "two", "three"] {
            let header = sent_with(&service, Tenant(tenant)).await.unwrap();
            assert_eq!(header, format!("Bearer {tenant}-{round}"));
        }
    }
    server.reject("two-1");
    let response = service.clone().oneshot(request("two")).await.unwrap();
    assert_eq!(response.status(), 401);
    pass(Duration::from_millis(1)).await;
    assert_eq!(["one", "two", "three"].map(|tenant| server.issued(tenant)), [1, 2, 1]);
    for (tenant, header) in [("one", "Bearer one-1"), ("two", "Bearer two-2"), ("three", "Bearer three-1")] {
        assert_eq!(sent_with(&service, Tenant(tenant)).await.unwrap(), header);
    }
}

/// One API rejects each token of one tenant. The back-off of these refreshes does not delay the first refresh of another tenant.
#[tokio::test(start_paused = true)]
async fn k2_the_back_off_of_rejections_concerns_one_key() {
    let (layer, server) = (tenants(grant), EchoServer::default());
    let service = server.service(&layer);
    for number in 1..10 {
        server.reject(&format!("one-{number}"));
        let _ = service.clone().oneshot(request("one")).await.unwrap();
    }
    let of_one = server.issued("one");
    assert!(of_one < 4, "{of_one} refreshes without a back-off");
    assert_eq!(sent_with(&service, Tenant("two")).await.unwrap(), "Bearer two-1");
    server.reject("two-1");
    assert_eq!(service.clone().oneshot(request("two")).await.unwrap().status(), 401);
    // Less than the shortest back-off.
    pass(Duration::from_millis(1)).await;
    assert_eq!(sent_with(&service, Tenant("two")).await.unwrap(), "Bearer two-2");
}

#[tokio::test(start_paused = true)]
async fn k2_a_challenge_demands_more_of_one_key() {
    let layer = tenants(|tenant| Ok(OAuth2Layer::new(grant(tenant)?.scope("read")?).step_up()));
    let (service, mut server) = mock_service(&layer);
    let sent = spawn(&service, request("one"));
    issue(&mut server).await;
    let mut challenge = answer(403, "");
    let demand = r#"Bearer error="insufficient_scope", scope="write""#;
    challenge.headers_mut().insert("www-authenticate", demand.parse().unwrap());
    respond(&mut server, challenge).await;
    assert_eq!(sent.await.unwrap().unwrap(), 403);
    for (tenant, scope) in [("one", "read write"), ("two", "read")] {
        // The refresh of `one` runs already.
        let sent = spawn(&service, request(tenant));
        let (request, api) = loop {
            let (request, respond) = server.next().await;
            if request.uri() == TOKEN_URL {
                break (request, respond);
            }
            assert_eq!(tenant, "one", "the token of `one` stays in use meanwhile");
            respond.send_response(answer(200, ""));
        };
        let form = crate::support::form(request).await;
        assert_eq!(client_of(&form), tenant);
        assert!(form.contains(&("scope".into(), scope.into())), "{form:?}");
        api.send_response(answer(200, token(tenant, 3600)));
        if !sent.is_finished() {
            let (_, respond) = server.next().await;
            respond.send_response(answer(200, ""));
        }
        sent.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn k2_a_dpop_nonce_and_a_key_concern_one_key() {
    let layer = tenants(|tenant| Ok(grant(tenant)?.dpop(dpop(if tenant.0 == "one" { 1 } else { 2 }))));
    let (service, mut server) = mock_service(&layer);
    let mut keys = Vec::new();
    for (tenant, round, nonce) in
        [("one", 0, None), ("two", 0, None), ("one", 1, Some("of-one")), ("two", 1, None), ("one", 2, Some("of-one"))]
    {
        let sent = spawn(&service, request(tenant));
        if round == 0 {
            let (request, respond) = server.next().await;
            assert_eq!(request.uri(), TOKEN_URL);
            keys.push(proof(&request).0["jwk"].clone());
            respond.send_response(answer(200, bound_token(tenant, 3600)));
        }
        let (request, respond) = server.next().await;
        assert_eq!(crate::support::authorization(&request).unwrap(), format!("DPoP {tenant}"));
        let (header, claims) = proof(&request);
        assert_eq!(header["jwk"], keys[usize::from(tenant == "two")]);
        assert_eq!(claims.get("nonce"), nonce.map(Value::from).as_ref(), "{tenant}, {round}");
        respond.send_response(match tenant {
            "one" => with_nonce(answer(200, ""), "of-one"),
            _ => answer(200, ""),
        });
        assert_eq!(sent.await.unwrap().unwrap(), 200);
    }
    assert_ne!(keys[0], keys[1]);
    assert_ne!(keys[0], json!(null));
}

#[tokio::test(start_paused = true)]
async fn k2_what_a_handle_changes_concerns_one_key() {
    let (layer, server) = (tenants(grant), EchoServer::default());
    let service = server.service(&layer);
    let (one, two) = (layer.tokens(&Tenant("one")).unwrap(), layer.tokens(&Tenant("two")).unwrap());
    two.set(Token::bearer("kept").unwrap());
    one.set(Token::bearer("set").unwrap());
    assert_eq!(sent_with(&service, Tenant("one")).await.unwrap(), "Bearer set");
    one.invalidate();
    assert_eq!(sent_with(&service, Tenant("one")).await.unwrap(), "Bearer one-1");
    one.refresh().await.unwrap();
    assert_eq!(sent_with(&service, Tenant("one")).await.unwrap(), "Bearer one-2");
    one.forget();
    assert_eq!(one.peek(), None);
    assert_eq!(sent_with(&service, Tenant("two")).await.unwrap(), "Bearer kept");
    assert_eq!((server.issued("one"), server.issued("two")), (2, 0));
}
