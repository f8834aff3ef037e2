//! Many requests at once on a layer that has neither a token nor the address of the token endpoint.

use std::convert::Infallible;

use futures_util::future::join_all;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::{OAuth2Layer, client::Client, endpoint::Issuer, grant::ClientCredentials};

use crate::discovery::DOCUMENT;
use crate::oidc_provider::server;
use crate::plain;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_cause_one_document_and_one_token() {
    expect_requests(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_layers_of_one_issuer_cause_one_document() {
    expect_requests(10).await;
}

/// Sends a thousand requests through so many layers, and asserts that the server receives one request for the document and one for the
/// token of each layer.
async fn expect_requests(layers: usize) {
    let Some(server) = server().await else { return };
    let issuer = Issuer::new(server.get("ISSUER")).unwrap();
    let services: Vec<_> = (0..layers)
        .map(|_| {
            let client = Client::basic("cc-basic", "cc-basic-secret");
            let grant = ClientCredentials::from_issuer(&issuer, client).unwrap();
            OAuth2Layer::new(grant).token_service(plain::client()).layer(service_fn(api))
        })
        .collect();

    let requests = (0..1000).map(|n| tokio::spawn(services[n % layers].clone().oneshot(Request::new(()))));
    let responses = join_all(requests).await;

    for (n, response) in responses.into_iter().enumerate() {
        let token = services[n % layers].tokens().peek().unwrap();
        assert_eq!(*response.unwrap().unwrap().body(), format!("Bearer {}", token.access_token()));
    }
    let counts = server.counts().await;
    assert_eq!((&counts["other"], &counts["token_total"]), (&json!({DOCUMENT: 1}), &json!(layers)), "{counts}");
}

/// Responds with the token of the request.
async fn api(request: Request<()>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(request.headers()[AUTHORIZATION].to_str().unwrap().to_owned()))
}
