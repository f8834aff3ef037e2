//! A space is encoded as `+` in a form, and as `%20` in a URL, where some servers do not decode `+`.

use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tower_oauth2::client::Client;
use tower_oauth2::grant::AuthorizationCode;

use crate::support::{API_URL, TOKEN_URL, answer, get, grant, mock_service, token};

const URL: &str = "https://auth.example.com/authorize?hint=a+b%20c&keep=1%2B1";

#[test]
fn a_space_in_the_authorization_url_is_percent_encoded() {
    let grant = AuthorizationCode::new(URL, TOKEN_URL, Client::public("i d"))
        .unwrap()
        .scope("read write")
        .unwrap()
        .param("login hint", "a+b c&d=ü");
    let login = grant.authorization_url("https://app.example/?a=b c").unwrap();
    let query = login.url().query().unwrap();
    assert!(!query.contains('+'), "{query}");
    for written in [
        "hint=a%20b%20c",
        "keep=1%2B1",
        "client_id=i%20d",
        "scope=read%20write",
        "login%20hint=a%2Bb%20c%26d%3D%C3%BC",
        "redirect_uri=https%3A%2F%2Fapp.example%2F%3Fa%3Db%20c",
    ] {
        assert!(query.split('&').any(|pair| pair == written), "{written} in {query}");
    }
    // Decoding the query as a form returns the same text.
    let pairs: Vec<_> = login.url().query_pairs().into_owned().collect();
    assert!(pairs.contains(&("login hint".to_owned(), "a+b c&d=ü".to_owned())), "{pairs:?}");
}

#[tokio::test]
async fn a_space_in_a_form_is_a_plus_sign() {
    let grant = grant().scope("read write").unwrap().param("hint", "a+b c");
    let (service, mut server) = mock_service(&tower_oauth2::OAuth2Layer::new(grant));
    let sent = tokio::spawn(service.oneshot(get(API_URL)));
    let (request, respond) = server.next().await;
    let body = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "grant_type=client_credentials&scope=read+write&hint=a%2Bb+c");
    respond.send_response(answer(200, token("a", 60)));
    server.next_authorization().await;
    sent.await.unwrap().unwrap();
}
