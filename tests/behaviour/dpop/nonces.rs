//! D7, D8, D10, D15: the nonces that the authorization server demands.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Response;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Grant, JwtBearer, RefreshToken, TokenExchange, token_type};
use tower_oauth2::source::{Source, SourceContext, source_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use super::{bound, bound_token, demand, dpop, proof, with_nonce};
use crate::support::{Body, Server, TOKEN_URL, answer, form, mock_service};

/// A layer whose token requests the test answers.
fn tokens(grant: impl Grant) -> (Tokens, Server) {
    let layer = OAuth2Layer::new(grant);
    let (mut service, server) = mock_service(&layer);
    tokio::spawn(async move {
        let _ = service.ready().await;
        pending::<()>().await;
    });
    (layer.tokens(), server)
}

fn refresh(tokens: &Tokens) -> tokio::task::JoinHandle<Result<Token, Error>> {
    let tokens = tokens.clone();
    tokio::spawn(async move { tokens.refresh().await })
}

/// Answers the next token request, and returns the nonce that its proof contained.
async fn respond(server: &mut Server, response: Response<Body>) -> Option<Value> {
    let (request, respond) = server.next().await;
    let nonce = proof(&request).1.get("nonce").cloned();
    respond.send_response(response);
    nonce
}

fn issued() -> Response<Body> {
    answer(200, bound_token("a", 60))
}

/// Servers send the error with different statuses: the error decides.
#[tokio::test(start_paused = true)]
async fn d10_a_demanded_nonce_causes_one_more_attempt_whatever_the_status() {
    for status in [400, 401, 403, 200, 503] {
        let (tokens, mut server) = tokens(bound(dpop(1)));
        let refreshed = refresh(&tokens);
        assert_eq!(respond(&mut server, demand(status, "n1")).await, None);
        assert_eq!(respond(&mut server, issued()).await, Some(json!("n1")), "{status}");
        assert_eq!(refreshed.await.unwrap().unwrap().access_token(), "a");
        // The nonce is kept for the next request.
        let refreshed = refresh(&tokens);
        assert_eq!(respond(&mut server, issued()).await, Some(json!("n1")));
        refreshed.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn d10_a_cached_nonce_that_is_too_old_is_replaced() {
    let (tokens, mut server) = tokens(bound(dpop(1)));
    let refreshed = refresh(&tokens);
    assert_eq!(respond(&mut server, with_nonce(issued(), "n1")).await, None);
    refreshed.await.unwrap().unwrap();
    let refreshed = refresh(&tokens);
    assert_eq!(respond(&mut server, demand(400, "n2")).await, Some(json!("n1")));
    assert_eq!(respond(&mut server, issued()).await, Some(json!("n2")));
    refreshed.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn d8_d10_without_a_new_nonce_there_is_no_second_attempt() {
    let two = with_nonce(demand(400, "n1"), "n2");
    let none = answer(400, json!({"error": "use_dpop_nonce"}));
    for (name, response) in [
        ("the same nonce", demand(400, "n0")),
        ("no nonce", none),
        ("two nonces", two),
        ("an empty nonce", demand(400, "")),
        ("bad syntax", demand(400, "a b")),
        ("too long", demand(400, &"n".repeat(1025))),
    ] {
        let (tokens, mut server) = tokens(bound(dpop(1)));
        let first = refresh(&tokens);
        respond(&mut server, with_nonce(issued(), "n0")).await;
        first.await.unwrap().unwrap();
        let refreshed = refresh(&tokens);
        assert_eq!(respond(&mut server, response).await, Some(json!("n0")), "{name}");
        let error = refreshed.await.unwrap().unwrap_err();
        assert_eq!(error.oauth().unwrap().error(), "use_dpop_nonce", "{name}");
        assert!(error.hint().contains("`DPoP-Nonce`"), "{}", error.hint());
        server.assert_no_token_request().await;
    }
}

/// A server that demands another nonce each time does not get a third request.
#[tokio::test(start_paused = true)]
async fn d10_there_is_exactly_one_more_attempt() {
    let (tokens, mut server) = tokens(bound(dpop(1)));
    let refreshed = refresh(&tokens);
    assert_eq!(respond(&mut server, demand(400, "n1")).await, None);
    assert_eq!(respond(&mut server, demand(400, "n2")).await, Some(json!("n1")));
    let error = refreshed.await.unwrap().unwrap_err();
    assert_eq!(error.oauth().unwrap().error(), "use_dpop_nonce");
    server.assert_no_token_request().await;
    // The last nonce is good for the next token request.
    let refreshed = refresh(&tokens);
    assert_eq!(respond(&mut server, issued()).await, Some(json!("n2")));
    refreshed.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn d7_the_nonce_of_each_response_replaces_the_last_one() {
    let (tokens, mut server) = tokens(bound(dpop(1)));
    let mut expected = None;
    for (nonce, status) in [("n1", 200), ("n2", 500), ("n3", 400), ("n4", 302), ("n5", 200)] {
        let refreshed = refresh(&tokens);
        let response = if status == 200 { issued() } else { answer(status, "<html>") };
        assert_eq!(respond(&mut server, with_nonce(response, nonce)).await, expected, "{nonce}");
        expected = Some(json!(nonce));
        assert_eq!(refreshed.await.unwrap().is_ok(), status == 200);
    }
    // A response without a nonce changes nothing.
    for _ in 0..2 {
        let refreshed = refresh(&tokens);
        assert_eq!(respond(&mut server, issued()).await, expected);
        refreshed.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn d15_another_error_is_an_error_without_a_loop() {
    let (tokens, mut server) = tokens(bound(dpop(1)));
    let refreshed = refresh(&tokens);
    let response = with_nonce(answer(400, json!({"error": "invalid_dpop_proof"})), "n1");
    assert_eq!(respond(&mut server, response).await, None);
    let error = refreshed.await.unwrap().unwrap_err();
    assert_eq!(error.oauth().unwrap().error(), "invalid_dpop_proof");
    assert!(error.hint().contains("`Dpop::backdate`"), "{}", error.hint());
    server.assert_no_token_request().await;
}

/// The error says nothing about the refresh token, so no login is required.
#[tokio::test(start_paused = true)]
async fn d15_a_rejected_proof_keeps_the_login() {
    for code in ["invalid_dpop_proof", "use_dpop_nonce"] {
        let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r").unwrap().dpop(dpop(1));
        let (tokens, mut server) = tokens(grant);
        let refreshed = refresh(&tokens);
        respond(&mut server, answer(400, json!({"error": code}))).await;
        let error = refreshed.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::RequestRejected, code));
        let refreshed = refresh(&tokens);
        let (request, send) = server.next().await;
        assert!(form(request).await.contains(&("refresh_token".to_owned(), "r".to_owned())));
        send.send_response(issued());
        refreshed.await.unwrap().unwrap();
    }
}

/// A source that returns another text each time.
fn counting() -> impl Source {
    let count = Arc::new(AtomicUsize::new(0));
    source_fn(move |_: SourceContext| {
        let text = format!("text-{}", count.fetch_add(1, Ordering::SeqCst));
        async move { Ok(text) }
    })
}

/// Everything in the second attempt is new.
#[tokio::test(start_paused = true)]
async fn d10_the_second_attempt_has_a_new_assertion_and_new_secrets() {
    let none = Client::none;
    let credentials = |client| ClientCredentials::new(TOKEN_URL, client).unwrap().dpop(dpop(1)).boxed();
    let exchange = TokenExchange::new(TOKEN_URL, none(), token_type::JWT, counting()).unwrap();
    for (name, grant) in [
        ("client_assertion", credentials(Client::assertion("id", counting()))),
        ("client_secret", credentials(Client::post_from("id", counting()))),
        ("assertion", JwtBearer::new(TOKEN_URL, none(), counting()).unwrap().dpop(dpop(1)).boxed()),
        ("subject_token", exchange.dpop(dpop(1)).boxed()),
    ] {
        let (tokens, mut server) = tokens(grant);
        let refreshed = refresh(&tokens);
        for (at, response) in [demand(400, "n1"), issued()].into_iter().enumerate() {
            let (request, send) = server.next().await;
            assert_eq!(proof(&request).1.get("nonce").is_some(), at == 1);
            let form = form(request).await;
            assert!(form.contains(&(name.to_owned(), format!("text-{at}"))), "{form:?}");
            send.send_response(response);
        }
        refreshed.await.unwrap().unwrap();
    }
}

/// Clones of a key share its nonces, so a second login begins with the nonce of the first.
#[tokio::test(start_paused = true)]
async fn d6_two_layers_with_one_key_share_the_nonces_of_a_server() {
    let key = dpop(1);
    let (one, mut first) = tokens(bound(key.clone()));
    let refreshed = refresh(&one);
    respond(&mut first, with_nonce(issued(), "n1")).await;
    refreshed.await.unwrap().unwrap();
    let (two, mut second) = tokens(bound(key));
    let refreshed = refresh(&two);
    assert_eq!(respond(&mut second, issued()).await, Some(json!("n1")));
    refreshed.await.unwrap().unwrap();
}
