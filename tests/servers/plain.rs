//! The plain HTTP client under the layer, and helpers for its responses.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_oauth2::{Error, OAuth2Layer, Token, grant::Grant};
use url::form_urlencoded;

pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn client() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

/// Sends a request. The response's body is JSON or empty.
pub(crate) async fn send<S>(mut service: S, request: Request<Full<Bytes>>) -> Result<(StatusCode, Value), BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = http::Response<Incoming>, Error: Into<BoxError>>,
{
    let response = service.ready().await.map_err(Into::into)?.call(request).await.map_err(Into::into)?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

/// Calls the API through the layer.
pub(crate) async fn call(grant: impl Grant, api: &str) -> (StatusCode, Value) {
    send(OAuth2Layer::new(grant).layer(client()), get(api)).await.unwrap()
}

/// Calls the API through the layer, and returns the error.
pub(crate) async fn failed_call(grant: impl Grant, api: &str) -> Error {
    let error = send(OAuth2Layer::new(grant).layer(client()), get(api)).await.unwrap_err();
    *error.downcast::<Error>().unwrap()
}

/// Calls the API with this token and without the layer.
pub(crate) async fn send_with_token(api: &str, token: &Token) -> StatusCode {
    let mut request = get(api);
    request.headers_mut().insert(AUTHORIZATION, format!("Bearer {}", token.access_token()).parse().unwrap());
    send(client(), request).await.unwrap().0
}

/// The credentials of the tests at introspection and revocation.
#[derive(Clone, Copy)]
pub(crate) enum Credentials<'a> {
    Basic(&'a str, &'a str),
    Post(&'a str, &'a str),
}

/// Posts a token to introspection or revocation.
pub(crate) async fn post_token(url: &str, credentials: Credentials<'_>, token: &Token) -> (StatusCode, Value) {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token.access_token());
    let mut request = Request::post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    match credentials {
        Credentials::Basic(id, secret) => {
            request =
                request.header(AUTHORIZATION, format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}"))));
        }
        Credentials::Post(id, secret) => {
            form.append_pair("client_id", id).append_pair("client_secret", secret);
        }
    }
    send(client(), request.body(Full::from(form.finish())).unwrap()).await.unwrap()
}
