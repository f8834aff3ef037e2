//! D14, P6: an authorization request names the key, and a pushed one also has a proof.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tower_oauth2::Error;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::grant::{Authorization, AuthorizationCode};
use tower_oauth2::jwt::{Algorithm, Claims, Draft, signer_fn};
use tower_oauth2::source::{SourceContext, source_fn};
use tower_oauth2::transport::Transport;

use super::{demand, dpop, proof};
use crate::support::{Server, TOKEN_URL, answer, form};

const AUTHORIZATION_URL: &str = "https://auth.example.com/authorize?dpop_jkt=of-the-endpoint";
const PAR_URL: &str = "https://auth.example.com/par";
const REDIRECT_URI: &str = "https://app.example.com/callback";

fn grant(client: Client) -> AuthorizationCode {
    let endpoint = TokenEndpoint::new(TOKEN_URL, client).unwrap();
    AuthorizationCode::from_endpoint(AUTHORIZATION_URL, endpoint).unwrap()
}

/// A client whose assertions are counted.
fn counting() -> Client {
    let count = Arc::new(AtomicUsize::new(0));
    let next = move |_: SourceContext| {
        let text = format!("assertion-{}", count.fetch_add(1, Ordering::SeqCst));
        async move { Ok(text) }
    };
    Client::assertion("id", source_fn(next))
}

fn begin(grant: AuthorizationCode) -> (tokio::task::JoinHandle<Result<Authorization, Error>>, Server) {
    let (inner, handle) = tower_test::mock::pair();
    (tokio::spawn(async move { grant.begin(&Transport::new(inner), REDIRECT_URI).await }), Server::from(handle))
}

fn jkt(pairs: &[(String, String)]) -> Vec<&str> {
    pairs.iter().filter(|(name, _)| name == "dpop_jkt").map(|(_, value)| value.as_str()).collect()
}

#[test]
fn d14_the_url_for_the_browser_has_the_thumbprint_once() {
    let login = grant(Client::public("id")).param("dpop_jkt", "of-the-user").dpop(dpop(1));
    let login = login.authorization_url(REDIRECT_URI).unwrap();
    let pairs: Vec<(String, String)> = login.url().query_pairs().into_owned().collect();
    assert_eq!(jkt(&pairs), [dpop(1).thumbprint()]);

    let without = grant(Client::public("id")).authorization_url(REDIRECT_URI).unwrap();
    let pairs: Vec<(String, String)> = without.url().query_pairs().into_owned().collect();
    assert_eq!(jkt(&pairs), ["of-the-endpoint"]);
}

#[tokio::test(start_paused = true)]
async fn d14_p6_a_push_has_the_thumbprint_and_a_proof_and_is_sent_again_for_a_nonce() {
    let (login, mut server) = begin(grant(counting()).pushed(PAR_URL).unwrap().dpop(dpop(1)));
    let mut forms = Vec::new();
    for (at, response) in
        [demand(400, "n1"), answer(201, json!({"request_uri": "urn:1", "expires_in": 60}))].into_iter().enumerate()
    {
        let (request, respond) = server.next().await;
        let (_, claims) = proof(&request);
        assert_eq!((&claims["htm"], &claims["htu"]), (&json!("POST"), &json!(PAR_URL)));
        assert_eq!(claims.get("nonce"), (at == 1).then(|| json!("n1")).as_ref());
        let mut form = form(request).await;
        assert_eq!(jkt(&form), [dpop(1).thumbprint()]);
        let assertion = form.iter().position(|(name, _)| name == "client_assertion").unwrap();
        assert_eq!(form.remove(assertion).1, format!("assertion-{at}"));
        forms.push(form);
        respond.send_response(response);
    }
    assert_eq!(forms[0], forms[1], "state, challenge and parameters stay");
    let login = login.await.unwrap().unwrap();
    assert!(login.url().as_str().contains("request_uri=urn%3A1"));
}

#[tokio::test(start_paused = true)]
async fn p6_a_second_attempt_has_a_request_object_of_its_own() {
    let signer = signer_fn(async |draft: Draft| Ok(draft.header(Algorithm::Es256, None)?.signed(&[7; 64])));
    let claims = Claims::signed_by(signer).audience("https://auth.example.com");
    let grant = grant(Client::public("id")).pushed(PAR_URL).unwrap().request_object(claims).dpop(dpop(1));
    let (login, mut server) = begin(grant);
    let mut objects = Vec::new();
    for response in [demand(400, "n1"), answer(201, json!({"request_uri": "urn:1", "expires_in": 60}))] {
        let (request, respond) = server.next().await;
        proof(&request);
        objects.push(form(request).await.into_iter().find(|(name, _)| name == "request").unwrap().1);
        respond.send_response(response);
    }
    login.await.unwrap().unwrap();
    assert_ne!(objects[0], objects[1], "each has a `jti` of its own");
}

#[tokio::test(start_paused = true)]
async fn p6_the_same_nonce_again_ends_the_login_before_the_browser_opens() {
    let (login, mut server) = begin(grant(Client::public("id")).pushed(PAR_URL).unwrap().dpop(dpop(1)));
    for _ in 0..2 {
        let (_, respond) = server.next().await;
        respond.send_response(demand(400, "n1"));
    }
    assert_eq!(login.await.unwrap().unwrap_err().oauth().unwrap().error(), "use_dpop_nonce");
    server.assert_no_request().await;
}
