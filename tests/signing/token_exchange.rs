//! Token exchange (RFC 8693).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::grant::{ClientCredentials, JwtBearer, RefreshToken, TokenExchange, token_type};
use tower_oauth2::source::{Source, source_fn};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{ErrorKind, OAuth2Layer, Token};

use crate::support::{Server, TOKEN_URL, printed};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

fn fixed(text: &'static str) -> impl Source {
    source_fn(move |_| async move { Ok(text.to_owned()) })
}

fn exchange() -> TokenExchange {
    TokenExchange::new(TOKEN_URL, Client::basic("id", "secret"), token_type::ACCESS_TOKEN, fixed("subject")).unwrap()
}

/// X1, and the request of RFC 8693 §2.3.
#[tokio::test]
async fn the_form_has_the_subject_and_its_type() {
    let server = Server::default();
    let subject = fixed("accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC");
    let grant = TokenExchange::new(
        TOKEN_URL,
        Client::basic("rs08", "long-secure-random-secret"),
        token_type::ACCESS_TOKEN,
        subject,
    )
    .unwrap()
    .resource("https://backend.example.com/api")
    .unwrap();
    grant.exchange(&server.transport()).await.unwrap();
    let request = server.take_one();
    let expected = [
        ("grant_type", GRANT_TYPE),
        ("subject_token", "accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("resource", "https://backend.example.com/api"),
    ];
    assert_eq!(request.pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

/// X2, X3, X9.
#[tokio::test]
async fn subject_and_actor_are_fetched_for_each_request() {
    let number = Arc::new(AtomicUsize::new(0));
    let counting = |name: &'static str| {
        let number = number.clone();
        source_fn(move |_| {
            let number = number.fetch_add(1, Ordering::SeqCst);
            async move { Ok(format!("{name}{number}")) }
        })
    };
    let server = Server::default();
    let grant = TokenExchange::new(TOKEN_URL, Client::public("id"), token_type::ID_TOKEN, counting("subject"))
        .unwrap()
        .actor(token_type::JWT, counting("actor"))
        .requested_token_type(token_type::ACCESS_TOKEN)
        .param("audience", "a")
        .param("audience", "b");
    let tokens = OAuth2Layer::new(grant).token_service(server.service()).tokens();
    tokens.get().await.unwrap();
    tokens.refresh().await.unwrap();
    for (request, [subject, actor]) in server.take().iter().zip([["subject0", "actor1"], ["subject2", "actor3"]]) {
        assert_eq!((request.get("subject_token"), request.get("actor_token")), (subject, actor));
        assert_eq!(request.get("subject_token_type"), token_type::ID_TOKEN);
        assert_eq!(request.get("actor_token_type"), token_type::JWT);
        assert_eq!(request.get("requested_token_type"), token_type::ACCESS_TOKEN);
        assert_eq!(request.pairs.iter().filter(|(name, _)| name == "audience").count(), 2);
    }
    // X2, X3: without an actor and a requested type, neither is sent.
    exchange().exchange(&server.transport()).await.unwrap();
    assert_eq!(server.take_one().pairs.len(), 3);
}

/// X4.
#[tokio::test]
async fn the_issued_type_is_the_requested_one_or_missing() {
    let body = |issued: Option<&str>| json!({"access_token": "a", "token_type": "Bearer", "expires_in": 60, "issued_token_type": issued});
    for (issued, requested, is_good) in [
        (Some(token_type::JWT), Some(token_type::JWT), true),
        (Some(token_type::JWT), None, true),
        (None, Some(token_type::JWT), true),
        (Some(token_type::ACCESS_TOKEN), Some(token_type::JWT), false),
    ] {
        let server = Server::default().respond(200, body(issued));
        let grant = match requested {
            Some(requested) => exchange().requested_token_type(requested),
            None => exchange(),
        };
        match grant.exchange(&server.transport()).await {
            Ok(token) => {
                assert!(is_good);
                assert_eq!((token.value(), token.issued_token_type()), ("a", issued));
            }
            Err(error) => {
                assert!(!is_good, "{error}");
                assert_eq!(error.kind(), ErrorKind::Malformed);
                assert_eq!(error.endpoint(), Some("auth.example.com/token"));
            }
        }
    }
}

/// X4: the type is not known, so the token could be of another type than the requested one.
#[tokio::test]
async fn an_issued_type_that_is_no_text_is_malformed() {
    for issued in [json!(1), json!([token_type::ACCESS_TOKEN]), json!({}), json!(true)] {
        let body = json!({"access_token": "a", "token_type": "Bearer", "issued_token_type": issued});
        let server = Server::default().respond(200, body);
        let error = exchange().exchange(&server.transport()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{issued}");
    }
}

/// X5.
#[tokio::test]
async fn a_token_that_is_no_access_token_is_a_source_and_no_token() {
    let body = json!({"access_token": "e30.e30.c2ln", "token_type": "N_A", "issued_token_type": token_type::ID_JAG});
    let server = Server::default().respond(200, body.clone()).respond(200, body.clone()).respond(200, body);
    let grant = exchange().requested_token_type(token_type::ID_JAG);
    let issued = grant.exchange(&server.transport()).await.unwrap();
    assert!(!format!("{issued:?}").contains("e30"));
    assert_eq!(issued.value(), "e30.e30.c2ln");
    assert_eq!(issued.into_token().unwrap_err().kind(), ErrorKind::Malformed);
    let error = OAuth2Layer::new(grant.clone()).token_service(server.service()).tokens().get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("N_A"), "{error}");
    server.take();

    // The issued assertion is exchanged in another domain.
    let chain = JwtBearer::new("https://other.example.com/token", Client::public("id"), grant).unwrap();
    let token = OAuth2Layer::new(chain).token_service(server.service()).tokens().get().await.unwrap();
    assert_eq!(token.access_token(), "a2");
    let requests = server.take();
    assert_eq!(requests[0].get("grant_type"), GRANT_TYPE);
    assert_eq!(requests[1].get("assertion"), "e30.e30.c2ln");
}

/// X6.
#[tokio::test]
async fn a_success_without_a_token_is_malformed() {
    for body in [
        json!({"access_token": "", "token_type": ""}),
        json!({"token_type": "Bearer"}),
        json!({"access_token": null}),
        json!({"access_token": 1}),
    ] {
        let server = Server::default().respond(200, body.clone());
        let error = exchange().exchange(&server.transport()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{body}");
        assert_eq!(error.status().unwrap(), 200);
    }
}

/// X7, X8.
#[tokio::test]
async fn an_error_keeps_its_code_and_repeats_no_token() {
    let body = json!({"error": "invalid_target", "error_description": "not for hunter2-subject or hunter2-actor"});
    let server = Server::default().respond(400, body);
    let grant = TokenExchange::new(TOKEN_URL, Client::public("id"), token_type::JWT, fixed("hunter2-subject"))
        .unwrap()
        .actor(token_type::JWT, fixed("hunter2-actor"));
    let error = grant.exchange(&server.transport()).await.unwrap_err();
    assert_eq!(error.oauth().unwrap().error(), "invalid_target");
    assert!(!printed(&error).contains("hunter2"), "{error}");
    assert!(!format!("{grant:?}").contains("hunter2"));
}

/// X10.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_is_used_before_a_new_exchange() {
    let issued = json!({"access_token": "a", "refresh_token": "r", "token_type": "Bearer", "expires_in": 60});
    let server = Server::default().respond(200, issued).respond(400, json!({"error": "invalid_grant"}));
    let tokens = OAuth2Layer::new(exchange()).token_service(server.service()).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "a3");
    let types: Vec<_> = server.take().iter().map(|request| request.get("grant_type").to_owned()).collect();
    assert_eq!(types, [GRANT_TYPE, "refresh_token", GRANT_TYPE]);
}

/// X11.
#[tokio::test]
async fn a_store_needs_a_subject() {
    let server = Server::default();
    let layer = OAuth2Layer::new(exchange().persisted(MemoryStore::new())).token_service(server.service());
    assert_eq!(layer.tokens().get().await.unwrap_err().kind(), ErrorKind::Configuration);
    let named = exchange().persisted(MemoryStore::new()).subject("alice");
    OAuth2Layer::new(named).token_service(server.service()).tokens().get().await.unwrap();
    assert_eq!(server.take().len(), 1);
}

/// X11: one client, one user, one store. The exchanged token does not replace the login, and no grant sends the token of another.
#[tokio::test]
async fn grants_of_one_user_have_entries_of_their_own() {
    let client = || Client::basic("id", "secret");
    let store = MemoryStore::new();
    let login = RefreshToken::stored(TOKEN_URL, client()).unwrap().persisted(store.clone()).subject("alice");
    let grants = [
        exchange(),
        exchange().requested_token_type(token_type::ACCESS_TOKEN),
        exchange().requested_token_type(token_type::JWT),
        exchange().actor(token_type::JWT, fixed("b")),
        exchange().actor(token_type::ACCESS_TOKEN, fixed("b")),
        TokenExchange::new(TOKEN_URL, client(), token_type::ID_TOKEN, fixed("a")).unwrap(),
        exchange().param("audience", "a"),
    ];
    let mut ids = vec![login.key().id().to_owned()];
    ids.extend(grants.map(|grant| grant.persisted(store.clone()).subject("alice").key().id().to_owned()));
    let bearer = JwtBearer::new(TOKEN_URL, client(), fixed("a")).unwrap();
    ids.push(bearer.persisted(store.clone()).subject("alice").key().id().to_owned());
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
    // The last of two actors counts.
    let twice = exchange().actor(token_type::JWT, fixed("b")).actor(token_type::ACCESS_TOKEN, fixed("b"));
    assert_eq!(twice.persisted(store).subject("alice").key().id(), ids[5]);
}

/// A login's token is exchanged for another API's.
#[tokio::test]
async fn the_token_of_a_login_is_the_subject() {
    let login = OAuth2Layer::new(ClientCredentials::new(TOKEN_URL, Client::public("login")).unwrap());
    login.tokens().set(Token::bearer("of-the-login").unwrap());
    let server = Server::default();
    let grant = TokenExchange::new(TOKEN_URL, Client::public("id"), token_type::ACCESS_TOKEN, login.tokens()).unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(server.service()).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a1");
    assert_eq!(server.take_one().get("subject_token"), "of-the-login");
    // A logout of the login alone leaves the exchanged token.
    login.tokens().forget();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a1");
}

#[tokio::test]
async fn a_subject_that_is_missing_is_an_error_and_nothing_is_sent() {
    let server = Server::default();
    let grant = TokenExchange::new(TOKEN_URL, Client::public("id"), token_type::JWT, fixed("")).unwrap();
    let error = grant.exchange(&server.transport()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proof);
    assert!(server.take().is_empty());
    for bad in ["", "jwt", "https://example.com/#x"] {
        let error = TokenExchange::new(TOKEN_URL, Client::public("id"), bad, fixed("a")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{bad:?}");
        for grant in [exchange().requested_token_type(bad), exchange().actor(bad, fixed("a"))] {
            let error = grant.exchange(&server.transport()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{bad:?}");
        }
    }
}

/// Without the grant: the token endpoint sends a form of one's own.
#[tokio::test]
async fn the_token_types_are_those_of_the_rfc() {
    let server = Server::default();
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::public("id")).unwrap();
    let form = Form::new(GRANT_TYPE).param("subject_token_type", token_type::SAML2);
    endpoint.token(&server.transport(), form).await.unwrap();
    assert_eq!(server.take_one().get("subject_token_type"), "urn:ietf:params:oauth:token-type:saml2");
}
