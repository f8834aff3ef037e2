//! A reverse proxy in axum that adds the program's token.

use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode, Uri, header, uri::Authority};
use hyper_util::{client::legacy, rt::TokioExecutor};
use tower::{BoxError, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials, retry::RetryUnauthorized};

#[derive(Clone)]
struct Upstream {
    authority: Authority,
    service: BoxCloneSyncService<Request<Body>, Response, BoxError>,
}

fn reverse_proxy(token_url: &str, upstream: Authority) -> Result<Router, BoxError> {
    let grant = ClientCredentials::new(token_url, Client::basic("example", "secret"))?;
    let service = ServiceBuilder::new()
        .map_response(IntoResponse::into_response)
        .layer(RetryUnauthorized::new().buffered(64 * 1024).into_layer(Body::new))
        .layer(OAuth2Layer::new(grant).origin(format!("http://{upstream}"))?)
        .service(legacy::Client::builder(TokioExecutor::new()).build_http());
    let upstream = Upstream { authority: upstream, service: BoxCloneSyncService::new(service) };
    Ok(Router::new().fallback(forward).with_state(upstream))
}

async fn forward(State(upstream): State<Upstream>, mut request: Request<Body>) -> Result<Response, StatusCode> {
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    uri.scheme = Some(http::uri::Scheme::HTTP);
    uri.authority = Some(upstream.authority);
    *request.uri_mut() = Uri::from_parts(uri).map_err(|_| StatusCode::BAD_REQUEST)?;
    // The headers of the connection to the caller. Their token is for the proxy, and the layer would keep it.
    for name in [header::AUTHORIZATION, header::CONNECTION, header::HOST, header::TE, header::UPGRADE] {
        request.headers_mut().remove(name);
    }
    upstream.service.oneshot(request).await.map_err(|_| StatusCode::BAD_GATEWAY)
}

mod tests {
    use axum::routing;
    use bytes::Bytes;
    use futures_util::StreamExt;
    use http_body_util::BodyExt;
    use hyper::body::Incoming;
    use tokio::sync::mpsc;

    use super::*;
    use crate::protected::ProtectedApi;
    use crate::support::{AuthServer, Listener, Settings};

    async fn serve(proxy: Router) -> Listener {
        Listener::serve(move |request: Request<Incoming>| {
            let response = proxy.clone().oneshot(request.map(Body::new));
            async move { response.await.unwrap() }
        })
        .await
        .unwrap()
    }

    async fn send(request: Request<Body>) -> http::Response<Incoming> {
        let client = legacy::Client::builder(TokioExecutor::new()).build_http();
        client.request(request).await.unwrap()
    }

    /// Returns the URI and the host of a request.
    async fn show(request: Request<Body>) -> String {
        format!("{} {}", request.uri(), request.headers()[header::HOST].to_str().unwrap())
    }

    #[tokio::test]
    async fn requests_share_one_token_and_are_repeated_after_a_rejection() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let api = ProtectedApi::start(&server, Router::new().fallback(show)).await;
        let upstream = api.origin().replace("http://", "");
        let proxy = serve(reverse_proxy(&server.token_url(), upstream.parse().unwrap()).unwrap()).await;

        let get = async move |url: String| {
            let request = Request::get(url).header(header::AUTHORIZATION, "Bearer of-the-caller");
            let response = send(request.body(Body::empty()).unwrap()).await;
            (response.status(), response.into_body().collect().await.unwrap().to_bytes())
        };
        let ok = (StatusCode::OK, Bytes::from(format!("/things?page=2 {upstream}")));
        let url = format!("{}/things?page=2", proxy.origin());
        let requests: Vec<_> = (0..8).map(|_| tokio::spawn(get(url.clone()))).collect();
        for request in requests {
            assert_eq!(request.await.unwrap(), ok);
        }
        assert_eq!((server.token_requests(), api.accepted(), api.rejected()), (1, 8, 0));

        server.registry().revoke_access_tokens();
        assert_eq!(get(url).await, ok);
        assert_eq!((server.token_requests(), api.accepted(), api.rejected()), (2, 9, 1));
    }

    /// Each part of the response arrives before the next part of the request is sent.
    #[tokio::test]
    async fn bodies_are_streamed() {
        let server = AuthServer::start(Settings::default()).await.unwrap();
        let echo = Router::new().route("/echo", routing::post(async |body: Body| body));
        let api = ProtectedApi::start(&server, echo).await;
        let upstream = api.origin().replace("http://", "").parse().unwrap();
        let proxy = serve(reverse_proxy(&server.token_url(), upstream).unwrap()).await;

        let (sender, mut parts) = mpsc::channel::<Result<Bytes, BoxError>>(1);
        let body = Body::from_stream(futures_util::stream::poll_fn(move |cx| parts.poll_recv(cx)));
        sender.send(Ok("one".into())).await.unwrap();
        let response = send(Request::post(format!("{}/echo", proxy.origin())).body(body).unwrap()).await;
        let mut received = response.into_body().into_data_stream();
        assert_eq!(received.next().await.unwrap().unwrap(), "one");
        sender.send(Ok("two".into())).await.unwrap();
        assert_eq!(received.next().await.unwrap().unwrap(), "two");
        drop(sender);
        assert!(received.next().await.is_none());
    }
}
