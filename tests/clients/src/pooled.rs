//! hyper-util's pooled client behind one named type: `BoxCloneSyncService`.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tower::{BoxError, ServiceBuilder, retry::RetryLayer, util::BoxCloneSyncService};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, retry::RetryUnauthorized};

type Http = BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, BoxError>;

fn http_client(token_url: &str, api_url: &str) -> Result<Http, BoxError> {
    let grant = ClientCredentials::new(token_url, Client::basic("example", "secret"))?;
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(RetryUnauthorized::new().buffered(64 * 1024)))
        .layer(OAuth2Layer::new(grant).origin(api_url)?)
        .service(legacy::Client::builder(TokioExecutor::new()).build_http());
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

    async fn post(client: Http, url: String) -> (StatusCode, Bytes) {
        let response = client.oneshot(Request::post(url).body(Full::from("one apple")).unwrap()).await.unwrap();
        (response.status(), response.into_body().collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn requests_share_one_token_and_are_repeated_after_a_rejection() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let echo = Router::new().route("/orders", routing::post(async |order: String| order));
        let api = ProtectedApi::start(&server, echo).await;
        let client = http_client(&server.token_url(), &api.origin()).unwrap();
        let url = format!("{}/orders", api.origin());

        let ok = (StatusCode::OK, Bytes::from("one apple"));
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
