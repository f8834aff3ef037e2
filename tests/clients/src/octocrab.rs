//! The client for GitHub over the layer.

use std::sync::Arc;

use http::header::{HeaderValue, USER_AGENT};
use hyper_util::{client::legacy, rt::TokioExecutor};
use octocrab::{
    AuthState, OctoBody, Octocrab, OctocrabBuilder,
    service::middleware::{base_uri::BaseUriLayer, extra_headers::ExtraHeadersLayer},
};
use tower::{BoxError, ServiceBuilder, retry::RetryLayer};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, retry::RetryUnauthorized};

fn github_client(token_url: &str, api_url: &str) -> Result<Octocrab, BoxError> {
    let grant = ClientCredentials::new(token_url, Client::basic("example", "secret"))?;
    let user_agent = (USER_AGENT, HeaderValue::from_static("my-program"));
    let service = ServiceBuilder::new()
        // Outside of the layer, which needs the complete URI of a request.
        .layer(BaseUriLayer::new(api_url.parse()?))
        .layer(ExtraHeadersLayer::new(Arc::new(vec![user_agent])))
        .layer(RetryLayer::new(RetryUnauthorized::new().replay(OctoBody::try_clone)))
        .layer(OAuth2Layer::new(grant).origin(api_url)?)
        .service(legacy::Client::builder(TokioExecutor::new()).build_http());
    Ok(OctocrabBuilder::new_empty().with_service(service).with_auth(AuthState::None).build()?)
}

mod tests {
    use axum::{Json, Router, routing};
    use serde_json::{Value, json};

    use tower_oauth2::{Error, ErrorKind};

    use super::*;
    use crate::errors::layer_error;
    use crate::protected::ProtectedApi;
    use crate::support::{AuthServer, Settings};

    fn github() -> Router {
        let show = || async { Json(json!({"title": "The first issue"})) };
        let create = |Json(issue): Json<Value>| async { Json(issue) };
        Router::new()
            .route("/repos/example/project/issues/1", routing::get(show))
            .route("/repos/example/project/issues", routing::post(create))
    }

    #[tokio::test]
    async fn calls_share_one_token_and_are_repeated_after_a_rejection() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let api = ProtectedApi::start(&server, github()).await;
        let github = github_client(&server.token_url(), &api.origin()).unwrap();

        let calls: Vec<_> = (0..8)
            .map(|_| {
                let github = github.clone();
                tokio::spawn(async move { github.get("/repos/example/project/issues/1", None::<&()>).await })
            })
            .collect();
        for call in calls {
            let issue: Value = call.await.unwrap().unwrap();
            assert_eq!(issue["title"], "The first issue");
        }
        assert_eq!((server.token_requests(), api.accepted(), api.rejected()), (1, 8, 0));

        // The body of the rejected request is sent again.
        server.registry().revoke_access_tokens();
        let issue = json!({"title": "The second issue"});
        let created: Value = github.post("/repos/example/project/issues", Some(&issue)).await.unwrap();
        assert_eq!(created, issue);
        assert_eq!((server.token_requests(), api.accepted(), api.rejected()), (2, 9, 1));
    }

    #[tokio::test]
    async fn the_error_of_the_layer_is_a_source() {
        let server = AuthServer::start(Settings::default().client("example", "another secret")).await.unwrap();
        let client = github_client(&server.token_url(), "http://127.0.0.1").unwrap();
        let error = client.get::<Value, _, ()>("/user", None).await.unwrap_err();
        assert_eq!(layer_error(&error).map(Error::kind), Some(ErrorKind::ClientRejected));
    }
}
