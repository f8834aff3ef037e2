//! The issuer of an authorization response (RFC 9207): a wrong one is not accepted, and the error names it.

use tower_oauth2::ErrorKind;
use tower_oauth2::grant::AuthorizationCode;

use super::{Program, freeze_clock, grant};

/// A response with this issuer does not end the login. If no other follows, the error of the timeout says what is wrong.
async fn is_not_accepted(grant: AuthorizationCode, iss: &str, named: &[&str]) {
    let still = freeze_clock();
    let mut program = Program::new(grant, vec![]);
    let login = program.start_login().await;
    let state = login.param("state");
    let query = format!("code=secret-code&state={state}{iss}");
    let (status, page) = login.redirect(&query).await;
    assert_eq!(status, 400);
    assert!(page.contains("This is not a login") && !page.contains("secret-code"), "{page}");
    drop(still);
    let error = login.outcome().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginExpired);
    let text = error.to_string();
    assert!(named.iter().all(|named| text.contains(named)), "{text}");
    assert!(!text.contains("secret-code") && !text.contains(&state), "{text}");
    assert!(program.forms.try_recv().is_err(), "the code was sent");
}

#[tokio::test(start_paused = true)]
async fn the_error_names_an_issuer_of_another_origin_and_the_option() {
    let named = ["`https://login.example.net/7`", "`https://auth.example.com`", "AuthorizationCode::issuer"];
    is_not_accepted(grant(), "&iss=https://login.example.net/7", &named).await;
}

#[tokio::test(start_paused = true)]
async fn the_error_names_an_issuer_that_is_not_the_configured_one() {
    let grant = grant().issuer("https://auth.example.com/7");
    let named = ["`https://auth.example.com`", "`https://auth.example.com/7`", "AuthorizationCode::issuer"];
    is_not_accepted(grant, "&iss=https://auth.example.com", &named).await;
}

#[tokio::test(start_paused = true)]
async fn the_error_names_a_missing_issuer() {
    let grant = grant().issuer("https://auth.example.com/7");
    is_not_accepted(grant, "", &["`https://auth.example.com/7`", "do not set the option"]).await;
}

#[tokio::test]
async fn the_configured_issuer_may_have_another_origin() {
    let mut program = Program::new(grant().issuer("https://login.example.net/7"), vec![]);
    let login = program.start_login().await;
    let query = format!("code=c&state={}&iss=https://login.example.net/7", login.param("state"));
    assert_eq!(login.redirect(&query).await.0, 200);
    login.outcome().await.unwrap();
}

/// The state is checked first.
#[tokio::test]
async fn a_response_without_the_state_does_not_end_the_login() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    let (status, page) = login.redirect("code=c&state=guessed&iss=https://evil.example").await;
    assert_eq!(status, 400);
    assert!(page.contains("This is not a login"), "{page}");
    assert_eq!(login.redirect_with_code().await.0, 200);
    login.outcome().await.unwrap();
}
