//! A Kubernetes client over the layer.

use hyper_util::{client::legacy, rt::TokioExecutor};
use kube::{
    Config,
    client::{Body, ConfigExt},
};
use tower::{BoxError, ServiceBuilder, retry::RetryLayer};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, retry::RetryUnauthorized};

fn kube_client(token_url: &str, cluster_url: &str) -> Result<kube::Client, BoxError> {
    let config = Config::new(cluster_url.parse()?);
    let grant = ClientCredentials::new(token_url, Client::basic("example", "secret"))?;
    let service = ServiceBuilder::new()
        // Outside of the layer, which needs the complete URI of a request.
        .layer(config.base_uri_layer())
        .layer(RetryLayer::new(RetryUnauthorized::new().replay_only(Body::try_clone)))
        .layer(OAuth2Layer::new(grant).origin(cluster_url)?)
        .service(legacy::Client::builder(TokioExecutor::new()).build_http());
    Ok(kube::Client::new(service, config.default_namespace))
}

mod tests {
    use axum::{Json, Router, routing};
    use k8s_openapi::api::core::v1::Pod;
    use kube::api::{ListParams, PostParams};
    use kube::{Api, ResourceExt};
    use serde_json::{Value, json};

    use tower_oauth2::{Error, ErrorKind};

    use super::*;
    use crate::errors::layer_error;
    use crate::protected::ProtectedApi;
    use crate::support::{AuthServer, Settings};

    /// Lists one pod, and creates others.
    fn cluster() -> Router {
        let list = || async {
            let pod = json!({"metadata": {"name": "web-1"}});
            Json(json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [pod]}))
        };
        let create = |Json(pod): Json<Value>| async { Json(pod) };
        Router::new().route("/api/v1/namespaces/default/pods", routing::get(list).post(create))
    }

    #[tokio::test]
    async fn calls_share_one_token_and_are_repeated_after_a_rejection() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let cluster = ProtectedApi::start(&server, cluster()).await;
        let pods: Api<Pod> = Api::default_namespaced(kube_client(&server.token_url(), &cluster.origin()).unwrap());

        let calls: Vec<_> = (0..8)
            .map(|_| {
                let pods = pods.clone();
                tokio::spawn(async move { pods.list(&ListParams::default()).await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().items[0].name_any(), "web-1");
        }
        assert_eq!((server.token_requests(), cluster.accepted(), cluster.rejected()), (1, 8, 0));

        // The body of the rejected request is sent again.
        server.registry().revoke_access_tokens();
        let pod = serde_json::from_value(json!({"metadata": {"name": "web-2"}})).unwrap();
        assert_eq!(pods.create(&PostParams::default(), &pod).await.unwrap().name_any(), "web-2");
        assert_eq!((server.token_requests(), cluster.accepted(), cluster.rejected()), (2, 9, 1));
    }

    #[tokio::test]
    async fn the_error_of_the_layer_is_a_source() {
        let server = AuthServer::start(Settings::default().client("example", "another secret")).await.unwrap();
        let client = kube_client(&server.token_url(), "http://127.0.0.1").unwrap();
        let pods: Api<Pod> = Api::default_namespaced(client);
        let error = pods.list(&ListParams::default()).await.unwrap_err();
        assert_eq!(layer_error(&error).map(Error::kind), Some(ErrorKind::ClientRejected));
    }
}
