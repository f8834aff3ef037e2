//! Token exchange at oidc-provider, with a grant that is written for these tests.

use http::StatusCode;
use tower_oauth2::grant::{ClientCredentials, TokenExchange, token_type};
use tower_oauth2::source::source_fn;
use tower_oauth2::{ErrorKind, OAuth2Layer, Tokens, client::Client};

use crate::oidc_provider::{ExclusiveServer, server};
use crate::plain::{self, call, failed_call};

fn client_credentials(server: &ExclusiveServer, client: Client) -> Tokens {
    let grant = ClientCredentials::new(server.get("TOKEN"), client).unwrap().scope("api:read").unwrap();
    OAuth2Layer::new(grant).token_service(plain::client()).tokens()
}

#[tokio::test]
async fn the_token_of_another_layer_is_exchanged() {
    let Some(server) = server().await else { return };
    let subject = client_credentials(&server, Client::basic("cc-basic", "cc-basic-secret"));
    let actor = client_credentials(&server, Client::post("cc-post", "cc-post-secret"));
    let client = Client::basic("exchange", "exchange-secret");
    let grant = TokenExchange::new(server.get("TOKEN"), client, token_type::ACCESS_TOKEN, subject).unwrap();
    let grant = grant.actor(token_type::ACCESS_TOKEN, actor);
    let grant = grant.requested_token_type(token_type::ACCESS_TOKEN);
    let (status, echo) = call(grant, server.get("API")).await;
    assert_eq!((status, &echo["client_id"], &echo["scope"]), (StatusCode::OK, &"exchange".into(), &"api:read".into()));
}

#[tokio::test]
async fn a_subject_token_that_the_server_rejects_is_an_error_without_the_token() {
    let Some(server) = server().await else { return };
    let subject = source_fn(|_| async { Ok("hunter2".to_owned()) });
    let client = Client::basic("exchange", "exchange-secret");
    let grant = TokenExchange::new(server.get("TOKEN"), client, token_type::ACCESS_TOKEN, subject).unwrap();
    let error = failed_call(grant, server.get("API")).await;
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::RequestRejected, "invalid_request"));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
