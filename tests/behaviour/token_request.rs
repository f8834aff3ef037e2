//! The content of a token request.

use base64::Engine as _;
use http::{Method, Request};
use tower::ServiceExt;
use tower_oauth2::OAuth2Layer;
use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;

use crate::support::{API_URL, Body, authorization, form, get, mock_service, pairs, token};

async fn sent(grant: ClientCredentials) -> Request<Body> {
    let (service, mut server) = mock_service(&OAuth2Layer::new(grant));
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (request, respond) = server.next().await;
    respond.send_response(crate::support::answer(200, token("a", 60)));
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
    request
}

fn at(url: &str, client: Client) -> ClientCredentials {
    ClientCredentials::new(url, client).unwrap()
}

#[tokio::test]
async fn a_form_is_posted_and_json_is_accepted() {
    let request = sent(at("https://auth.example.com/token?tenant=7", Client::basic("id", "secret"))).await;
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "https://auth.example.com/token?tenant=7");
    assert_eq!(request.headers()["accept"], "application/json");
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    assert!(request.headers()["authorization"].is_sensitive());
    assert_eq!(form(request).await, pairs(&[("grant_type", "client_credentials")]));
}

#[tokio::test]
async fn scope_resources_and_parameters_are_sent_without_duplicates() {
    let grant = at("https://auth.example.com/token", Client::post("id", "s&s"))
        .scope(" read   write ")
        .unwrap()
        .param("audience", "https://api.example.com")
        .param("scope", "admin")
        .param("client_id", "another")
        .param("grant_type", "password")
        .resource("https://a.example/")
        .unwrap()
        .resource("urn:b")
        .unwrap();
    let expected = [
        ("grant_type", "client_credentials"),
        ("scope", "read write"),
        ("audience", "https://api.example.com"),
        ("resource", "https://a.example/"),
        ("resource", "urn:b"),
    ];
    let form = form(sent(grant).await).await;
    let mut names: Vec<_> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert!(expected.iter().all(|(name, value)| form.contains(&((*name).to_owned(), (*value).to_owned()))));
    assert!(form.contains(&("client_secret".to_owned(), "s&s".to_owned())));
    // The id of the client, not the parameter of the user.
    assert!(form.contains(&("client_id".to_owned(), "id".to_owned())), "{form:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), form.len() - 1, "only `resource` is repeated: {form:?}");
}

#[tokio::test]
async fn basic_is_form_encoded_and_basic_raw_is_not() {
    let decode = |request: &Request<Body>| {
        let header = authorization(request).unwrap().strip_prefix("Basic ").unwrap().to_owned();
        String::from_utf8(base64::prelude::BASE64_STANDARD.decode(header).unwrap()).unwrap()
    };
    let url = "https://auth.example.com/token";
    assert_eq!(decode(&sent(at(url, Client::basic("i d", "a:b%"))).await), "i+d:a%3Ab%25");
    assert_eq!(decode(&sent(at(url, Client::basic_raw("i d", "a:b%"))).await), "i d:a:b%");
}

#[tokio::test]
async fn a_public_client_sends_only_its_id_and_client_none_sends_nothing() {
    let url = "https://auth.example.com/token";
    let public = sent(at(url, Client::public("id"))).await;
    assert_eq!(authorization(&public), None);
    assert_eq!(form(public).await, pairs(&[("grant_type", "client_credentials"), ("client_id", "id")]));
    let none = sent(at(url, Client::none())).await;
    assert_eq!(authorization(&none), None);
    assert_eq!(form(none).await, pairs(&[("grant_type", "client_credentials")]));
}
