//! reqwest under the layer, with the crate `tower-reqwest`.

use http::{Request, Response};
use reqwest::{Body, redirect};
use tower::{BoxError, ServiceBuilder, util::BoxCloneSyncService};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, retry::RetryUnauthorized};
use tower_reqwest::HttpClientLayer;

type Reqwest = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

fn reqwest_client(token_url: &str, api_url: &str) -> Result<Reqwest, BoxError> {
    // By default, reqwest follows a redirect of the token endpoint, and sends the client secret to another host.
    let reqwest = reqwest::Client::builder().redirect(redirect::Policy::none()).build()?;
    let grant = ClientCredentials::new(token_url, Client::basic("example", "secret"))?;
    let service = ServiceBuilder::new()
        .layer(RetryUnauthorized::new().buffered(64 * 1024).into_layer(Body::wrap))
        .layer(OAuth2Layer::new(grant).origin(api_url)?)
        .layer(HttpClientLayer)
        .service(reqwest);
    Ok(BoxCloneSyncService::new(service))
}

mod tests {
    use axum::{Router, routing};
    use http::StatusCode;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::protected::ProtectedApi;
    use crate::support::{AuthServer, Settings};

    async fn post(client: Reqwest, url: String) -> (StatusCode, bytes::Bytes) {
        let response = client.oneshot(Request::post(url).body("one apple".into()).unwrap()).await.unwrap();
        (response.status(), response.into_body().collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn requests_share_one_token_and_are_repeated_after_a_rejection() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let echo = Router::new().route("/orders", routing::post(async |order: String| order));
        let api = ProtectedApi::start(&server, echo).await;
        let client = reqwest_client(&server.token_url(), &api.origin()).unwrap();
        let url = format!("{}/orders", api.origin());

        let ok = (StatusCode::OK, "one apple".into());
        let requests: Vec<_> = (0..8).map(|_| tokio::spawn(post(client.clone(), url.clone()))).collect();
        for request in requests {
            assert_eq!(request.await.unwrap(), ok);
        }
        assert_eq!((server.token_requests(), api.accepted(), api.rejected()), (1, 8, 0));

        server.registry().revoke_access_tokens();
        assert_eq!(post(client, url).await, ok);
        assert_eq!((server.token_requests(), api.accepted(), api.rejected()), (2, 9, 1));
    }
}
