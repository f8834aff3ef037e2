//! A middleware for reqwest that attaches the token with `Tokens::authorize`.

use async_trait::async_trait;
use http::{Extensions, Request, StatusCode};
use reqwest::{Body, Client as Reqwest, Response, redirect};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next};
use tower::BoxError;
use tower_oauth2::{OAuth2Layer, Tokens, client::Client, grant::ClientCredentials};
use tower_reqwest::HttpClientService;

struct OAuth2Middleware(Tokens);

#[async_trait]
impl Middleware for OAuth2Middleware {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response, Error> {
        let token = self.0.get().await.map_err(Error::middleware)?;
        // `None` if the body is a stream, which cannot be sent again.
        let copy = request.try_clone();
        let response = next.clone().run(self.authorize(request).await?, extensions).await?;
        let Some(copy) = copy.filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
            return Ok(response);
        };
        // It has no effect if the token was refreshed already.
        self.0.reject(&token);
        next.run(self.authorize(copy).await?, extensions).await
    }
}

impl OAuth2Middleware {
    async fn authorize(&self, request: reqwest::Request) -> Result<reqwest::Request, Error> {
        let mut request = Request::<Body>::try_from(request)?;
        self.0.authorize(&mut request).await.map_err(Error::middleware)?;
        Ok(request.try_into()?)
    }
}

fn middleware_client(token_url: &str, api_url: &str) -> Result<ClientWithMiddleware, BoxError> {
    let reqwest = Reqwest::builder().redirect(redirect::Policy::none()).build()?;
    let grant = ClientCredentials::new(token_url, Client::basic("example", "secret"))?;
    let tokens = OAuth2Layer::new(grant).token_service(HttpClientService::new(reqwest)).origin(api_url)?.tokens();
    Ok(ClientBuilder::new(Reqwest::new()).with(OAuth2Middleware(tokens)).build())
}

mod tests {
    use axum::{Router, routing};
    use tower_oauth2::ErrorKind;

    use super::*;
    use crate::protected::ProtectedApi;
    use crate::support::{AuthServer, Settings};

    async fn post(client: ClientWithMiddleware, url: String) -> (StatusCode, String) {
        let response = client.post(url).body("one apple").send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    #[tokio::test]
    async fn requests_share_one_token_and_are_repeated_after_a_rejection() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let echo = Router::new().route("/orders", routing::post(async |order: String| order));
        let api = ProtectedApi::start(&server, echo).await;
        let client = middleware_client(&server.token_url(), &api.origin()).unwrap();
        let url = format!("{}/orders", api.origin());

        let ok = (StatusCode::OK, "one apple".to_owned());
        let requests: Vec<_> = (0..8).map(|_| tokio::spawn(post(client.clone(), url.clone()))).collect();
        for request in requests {
            assert_eq!(request.await.unwrap(), ok);
        }
        assert_eq!((server.token_requests(), api.accepted(), api.rejected()), (1, 8, 0));

        server.registry().revoke_access_tokens();
        assert_eq!(post(client, url).await, ok);
        assert_eq!((server.token_requests(), api.accepted(), api.rejected()), (2, 9, 1));
    }

    #[tokio::test]
    async fn the_error_of_the_layer_is_that_of_the_middleware() {
        let server = AuthServer::start(Settings::default().client("example", "another secret")).await.unwrap();
        let client = middleware_client(&server.token_url(), "http://127.0.0.1").unwrap();
        let Err(Error::Middleware(error)) = client.get("http://127.0.0.1").send().await else {
            panic!("the token request fails");
        };
        let error: &tower_oauth2::Error = error.downcast_ref().unwrap();
        assert_eq!(error.kind(), ErrorKind::ClientRejected);
    }
}
