//! The steps of the grant, for a web application with its own redirect route.

use tower::service_fn;
use tower_oauth2::ErrorKind;
use tower_oauth2::transport::Transport;

use super::grant;
use crate::support::{Body, answer, form, token};

#[tokio::test]
async fn a_login_in_steps() {
    let http = Transport::new(service_fn(async |request: http::Request<Body>| {
        let form = form(request).await;
        assert!(
            form.contains(&("redirect_uri".to_owned(), "https://app.example".to_owned())),
            "the redirect URI was changed"
        );
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
async fn an_unusable_response_is_an_error() {
    let grant = grant();
    let login = grant.authorization_url("https://app.example/callback").unwrap();
    let error = grant.callback(login, "code=c&state=wrong").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let login = grant.authorization_url("https://app.example/callback").unwrap();
    let query = format!("error=access_denied&state={}", login.state());
    assert_eq!(grant.callback(login, &query).unwrap_err().kind(), ErrorKind::Denied);
}

/// The server sent the code, so the error does not blame the application's configuration.
#[tokio::test]
async fn a_code_with_a_control_character_is_a_malformed_response() {
    let grant = grant();
    for code in ["c%0A", "c%00d", "%7F", "c%EF%BF%BF"] {
        let login = grant.authorization_url("https://app.example/callback").unwrap();
        let query = format!("code={code}&state={}", login.state());
        let error = grant.callback(login, &query).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{code}: {error}");
        assert!(error.to_string().contains("`code`") && error.to_string().contains("A.11"), "{error}");
    }
}
