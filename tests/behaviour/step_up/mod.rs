//! Challenges that demand another token: scope, login, claims.

mod scopes;

use http::Response;
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, ServiceExt};
use tower_oauth2::OAuth2Layer;
use tower_oauth2::grant::Grant;
use tower_oauth2::retry::RetryUnauthorized;

use crate::support::{API_URL, Body, Server, answer, get, mock_service};

type Sent = tokio::task::JoinHandle<Result<Response<Body>, BoxError>>;

/// The response of an API that demands these scopes.
fn needs_scope(scope: &str) -> Response<Body> {
    challenge(403, &format!(r#"Bearer error="insufficient_scope", scope="{scope}""#))
}

fn challenge(status: u16, challenge: &str) -> Response<Body> {
    let mut response = answer(status, "");
    response.headers_mut().append("www-authenticate", challenge.parse().unwrap());
    response
}

/// Sends a request that is repeated, and returns the mock server.
fn send<G: Grant>(layer: &OAuth2Layer<G>) -> (Sent, Server) {
    let (service, server) = mock_service(layer);
    let service = RetryLayer::new(RetryUnauthorized::new()).layer(service);
    (tokio::spawn(service.oneshot(get(API_URL))), server)
}

/// Answers the next request, which must be for the API, and returns its token.
async fn respond(server: &mut Server, response: Response<Body>) -> String {
    let (request, respond) = server.next().await;
    assert_eq!(request.uri(), API_URL);
    let token = request.headers()["authorization"].to_str().unwrap().to_owned();
    respond.send_response(response);
    token
}

/// Answers the next token request with this token, and returns the value of a parameter.
async fn issue(server: &mut Server, access_token: &str, parameter: &str) -> Option<String> {
    let (form, respond) = server.token_request().await;
    respond.send_response(answer(200, crate::support::token(access_token, 3600)));
    form.into_iter().find(|(name, _)| name == parameter).map(|(_, value)| value)
}
