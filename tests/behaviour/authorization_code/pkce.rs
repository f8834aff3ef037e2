//! `dangerous_without_pkce`, for confidential clients only.

use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;
use tower_oauth2::grant::AuthorizationCode;

use super::{AUTHORIZATION_URL, Program};
use crate::support::TOKEN_URL;

fn without_pkce(client: Client) -> Result<AuthorizationCode, tower_oauth2::Error> {
    AuthorizationCode::new(AUTHORIZATION_URL, TOKEN_URL, client)?.dangerous_without_pkce()
}

#[tokio::test]
async fn a_confidential_client_may_disable_pkce() {
    for client in [Client::basic("id", "secret"), Client::basic_raw("id", "secret"), Client::post("id", "secret")] {
        let mut program = Program::new(without_pkce(client).unwrap(), vec![]);
        let login = program.start_login().await;
        assert!(!login.url.as_str().contains("code_challenge"), "{}", login.url);
        assert_eq!(login.param("state").len(), 43);
        assert_eq!(login.redirect_with_code().await.0, 200);
        let form = program.forms.recv().await.unwrap();
        assert!(form.iter().all(|(name, _)| name != "code_verifier"), "{form:?}");
        login.outcome().await.unwrap();
    }
}

#[test]
fn a_public_client_may_not_disable_pkce() {
    for client in [Client::public("id"), Client::post("id", "")] {
        let error = without_pkce(client).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let text = error.to_string();
        assert!(text.contains("dangerous_without_pkce") && text.contains("without a secret"), "{text}");
    }
}
