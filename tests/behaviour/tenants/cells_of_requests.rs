//! K3: how long a request keeps its cell.

use std::pin::pin;

use tower::{Service, ServiceExt};
use tower_oauth2::Token;

use super::support::{
    EchoServer, Number, Tenant, grant, issue, mock_service, numbered, request, request_to, spawn, tenants,
};
use crate::support::{API_URL, answer};

/// Such a request is sent without other checks. Its rejection must find the cell.
#[tokio::test(start_paused = true)]
async fn k3_a_request_under_way_with_an_accepted_token_keeps_its_cell() {
    let layer = tenants(grant).max_tenants(1).unwrap();
    layer.tokens(&Tenant("a")).unwrap().set(Token::bearer("old").unwrap());
    let (service, mut server) = mock_service(&layer);
    for status in [200, 401] {
        let sent = spawn(&service, request("a"));
        let (_, respond) = server.next().await;
        if status == 401 {
            for other in ["b", "c", "d"] {
                layer.tokens(&Tenant(other)).unwrap();
            }
        }
        respond.send_response(answer(status, ""));
        assert_eq!(sent.await.unwrap().unwrap(), status);
    }
    assert_eq!(issue(&mut server).await, "a");
}

#[tokio::test(start_paused = true)]
async fn k3_a_future_that_has_completed_keeps_no_cell() {
    let layer = numbered(1);
    let mut service = EchoServer::default().service(&layer);
    let mut future = pin!(service.ready().await.unwrap().call(request_to(API_URL, Number(1))));
    let _response = (&mut future).await.unwrap();
    for other in 2..5 {
        layer.tokens(&Number(other)).unwrap();
    }
    assert_eq!(layer.len(), 1);
}
