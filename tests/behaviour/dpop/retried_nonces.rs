//! D17, D28: a request that is sent again has the nonce of its own response, once.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tower::{BoxError, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::dpop::Dpop;
use tower_oauth2::grant::{ClientCredentials, JwtBearer};
use tower_oauth2::retry::TokenRejected;
use tower_oauth2::source::{SourceContext, source_fn};
use tower_oauth2::{OAuth2Layer, Token};

use super::{api_demand, bound, bound_token, demand, dpop, in_memory, proof, unauthorized, with_nonce};
use crate::support::{API_URL, Body, Server, Service, TOKEN_URL, answer, get, mock_service, pass};

fn service(key: Dpop) -> (Service<ClientCredentials>, Server) {
    let layer = OAuth2Layer::new(bound(key));
    layer.tokens().set(Token::dpop("a").unwrap());
    mock_service(&layer)
}

fn send(service: &Service<ClientCredentials>, request: Request<Body>) -> JoinHandle<Result<Response<Body>, BoxError>> {
    tokio::spawn(service.clone().oneshot(request))
}

/// Answers the next API request. Returns its token and the nonce of its proof.
async fn respond(server: &mut Server, response: Response<Body>) -> (String, Option<Value>) {
    let (request, respond) = server.next().await;
    let sent =
        (request.headers()["authorization"].to_str().unwrap().to_owned(), proof(&request).1.get("nonce").cloned());
    respond.send_response(response);
    sent
}

fn of(token: &str, nonce: &str) -> (String, Option<Value>) {
    (format!("DPoP {token}"), Some(json!(nonce)))
}

/// Sends a request, answers it with this response, and returns the mark.
async fn rejected(
    service: &Service<ClientCredentials>,
    server: &mut Server,
    response: Response<Body>,
) -> TokenRejected {
    let sent = send(service, get(API_URL));
    respond(server, response).await;
    sent.await.unwrap().unwrap().extensions().get::<TokenRejected>().unwrap().clone()
}

/// The other response arrived later, and its nonce is the last one of the API.
#[tokio::test(start_paused = true)]
async fn d28_each_of_two_requests_has_the_nonce_of_its_own_response() {
    for key in [in_memory(), dpop(1)] {
        let (service, mut server) = service(key);
        let one = rejected(&service, &mut server, api_demand("n1")).await;
        let two = rejected(&service, &mut server, api_demand("n2")).await;
        for (mark, nonce) in [(one, "n1"), (two, "n2")] {
            let mut request = get(API_URL);
            mark.prepare_retry(&mut request);
            let _sent = send(&service, request);
            assert_eq!(respond(&mut server, answer(200, "")).await, of("a", nonce));
        }
    }
}

/// A retry layer further inside, or one that follows redirects, sends the same request again. Its nonce was used, and the API has given
/// another one.
#[tokio::test(start_paused = true)]
async fn d7_a_request_that_is_sent_again_inside_has_the_last_nonce() {
    for key in [in_memory(), dpop(1)] {
        let (service, mut server) = service(key);
        let mark = rejected(&service, &mut server, api_demand("n1")).await;
        let mut request = get(API_URL);
        mark.prepare_retry(&mut request);
        let first = send(&service, request.clone());
        assert_eq!(respond(&mut server, with_nonce(answer(503, ""), "n2")).await, of("a", "n1"));
        assert_eq!(first.await.unwrap().unwrap().status(), 503);
        let _second = send(&service, request);
        assert_eq!(respond(&mut server, answer(200, "")).await, of("a", "n2"));
    }
}

/// The wait for a token can be long, so the last nonce is the better one.
#[tokio::test(start_paused = true)]
async fn d17_a_request_that_waits_for_a_newer_token_has_the_last_nonce() {
    let (service, mut server) = service(in_memory());
    let demanded = rejected(&service, &mut server, api_demand("n1")).await;
    let invalid = with_nonce(unauthorized(r#"DPoP error="invalid_token""#), "n2");
    let rejected = rejected(&service, &mut server, invalid).await;
    let mut request = get(API_URL);
    demanded.prepare_retry(&mut request);
    rejected.prepare_retry(&mut request);
    let _sent = send(&service, request);
    server.issue_token(bound_token("b", 3600)).await;
    assert_eq!(respond(&mut server, answer(200, "")).await, of("b", "n2"));
}

/// Another login with the same key has got a later nonce, while the second attempt waited for its assertion.
#[tokio::test(start_paused = true)]
async fn d10_the_second_attempt_has_the_nonce_of_its_own_response() {
    let (key, gate) = (dpop(1), Arc::new(Semaphore::new(1)));
    let waiting = gate.clone();
    let assertion = source_fn(move |_: SourceContext| {
        let gate = waiting.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok("assertion".to_owned())
        }
    });
    let grant = JwtBearer::new(TOKEN_URL, Client::none(), assertion).unwrap().dpop(key.clone());
    let (service, mut server) = mock_service(&OAuth2Layer::new(grant));
    let _sent = tokio::spawn(service.oneshot(get(API_URL)));
    let nonce = async |server: &mut Server, response| {
        let (request, respond) = server.next().await;
        respond.send_response(response);
        proof(&request).1.get("nonce").cloned()
    };
    assert_eq!(nonce(&mut server, demand(400, "n1")).await, None);
    server.assert_no_request().await;
    let (service, mut other) = mock_service(&OAuth2Layer::new(bound(key)));
    let _sent = tokio::spawn(service.oneshot(get(API_URL)));
    assert_eq!(nonce(&mut other, with_nonce(answer(500, ""), "n2")).await, Some(json!("n1")));
    pass(Duration::from_secs(1)).await;
    gate.add_permits(1);
    assert_eq!(nonce(&mut server, answer(200, bound_token("a", 60))).await, Some(json!("n1")));
}
