//! `on_challenge`: no token is obtained until a server demands one.

mod bodies;
mod demands;
mod endless;
mod failing;
mod first_login;
mod grants;
mod origins;
mod readiness;
mod stored;
mod waiting;
mod with_token;

use http::{Request, Response};
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, ServiceExt};
use tower_oauth2::OAuth2Layer;
use tower_oauth2::grant::{ClientCredentials, Grant};
use tower_oauth2::retry::RetryUnauthorized;

use crate::support::{API_URL, Body, Server, answer, authorization, get, grant, mock_service};

type Sent = tokio::task::JoinHandle<Result<Response<Body>, BoxError>>;

fn on_challenge<G: Grant>(grant: G) -> OAuth2Layer<G> {
    OAuth2Layer::new(grant).origin("https://api.example.com").unwrap().on_challenge()
}

fn layer() -> OAuth2Layer<ClientCredentials> {
    on_challenge(grant())
}

/// A 401 with this challenge; without a header if it is empty.
fn unauthorized(challenge: &str) -> Response<Body> {
    with_challenge(401, challenge)
}

fn with_challenge(status: u16, challenge: &str) -> Response<Body> {
    let mut response = answer(status, "");
    if !challenge.is_empty() {
        response.headers_mut().append("www-authenticate", challenge.parse().unwrap());
    }
    response
}

/// Sends a request that is repeated, and returns the mock server.
fn send<G: Grant>(layer: &OAuth2Layer<G>) -> (Sent, Server) {
    send_request(layer, get(API_URL))
}

fn send_request<G: Grant>(layer: &OAuth2Layer<G>, request: Request<Body>) -> (Sent, Server) {
    let (service, server) = mock_service(layer);
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(service);
    (tokio::spawn(service.oneshot(request)), server)
}

/// Answers the next request, which must be for the API, and returns its token.
async fn respond(server: &mut Server, response: Response<Body>) -> Option<String> {
    let (request, respond) = server.next().await;
    assert_eq!(request.uri(), API_URL);
    let token = authorization(&request).map(ToOwned::to_owned);
    respond.send_response(response);
    token
}

async fn status(sent: Sent) -> u16 {
    ended(sent).await.unwrap().status().as_u16()
}

/// The outcome of a request. One that does not end fails the test.
async fn ended(sent: Sent) -> Result<Response<Body>, BoxError> {
    tokio::time::timeout(std::time::Duration::from_secs(7200), sent).await.expect("no end").unwrap()
}

/// Sends a request, which must have this token, and no token request.
async fn is_sent_with<G: Grant>(layer: &OAuth2Layer<G>, token: Option<&str>) {
    let (sent, mut server) = send(layer);
    assert_eq!(respond(&mut server, answer(200, "")).await.as_deref(), token);
    assert_eq!(status(sent).await, 200);
    server.assert_no_request().await;
}
