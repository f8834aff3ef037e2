//! The pieces, for a web application that has a redirect route of its own.

use tower::service_fn;
use tower_oauth2::ErrorKind;
use tower_oauth2::transport::Transport;

use super::grant;
use crate::support::{Body, answer, form, token};

#[tokio::test]
async fn a_login_goes_by_its_pieces() {
    let http = Transport::new(service_fn(async |request: http::Request<Body>| {
        let form = form(request).await;
        assert!(form.contains(&("redirect_uri".to_owned(), "https://app.example".to_owned())), "as it was written");
        Ok::<_, std::io::Error>(answer(200, token("a", 60)))
    }));
    let grant = grant();
    let login = grant.authorization_url("https://app.example").unwrap();
    assert!(login.url().as_str().contains("redirect_uri=https%3A%2F%2Fapp.example&"));
    let query = format!("code=c&state={}", login.state());
    let code = grant.callback(login, &query).unwrap();
    assert_eq!(grant.exchange(&http, code).await.unwrap().access_token(), "a");
}

#[tokio::test]
async fn what_is_not_the_answer_is_an_error() {
    let grant = grant();
    let login = grant.authorization_url("https://app.example/callback").unwrap();
    let error = grant.callback(login, "code=c&state=wrong").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let login = grant.authorization_url("https://app.example/callback").unwrap();
    let query = format!("error=access_denied&state={}", login.state());
    assert_eq!(grant.callback(login, &query).unwrap_err().kind(), ErrorKind::Denied);
}
