//! A refresh has the scope only with the option `scope_on_refresh`.

use tower_oauth2::client::Client;
use tower_oauth2::grant::{AuthorizationCode, ClientCredentials, Context, DeviceCode, Grant, Password, RefreshToken};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, Token};

use crate::support::{TOKEN_URL, token_endpoint};

fn client() -> Client {
    Client::public("id")
}

/// Returns the scope in the refresh of a grant.
async fn refreshed(grant: impl Grant) -> Option<String> {
    let (service, mut forms) = token_endpoint(vec![]);
    let previous = Token::bearer("a").unwrap().with_refresh_token("r");
    grant.obtain(Context::new(Transport::new(service)).with_previous(previous)).await.unwrap();
    let form = forms.recv().await.unwrap();
    assert!(form.contains(&("grant_type".to_owned(), "refresh_token".to_owned())), "{form:?}");
    form.into_iter().find(|(name, _)| name == "scope").map(|(_, scope)| scope)
}

#[tokio::test]
async fn all_grants_can_repeat_the_scope() -> Result<(), Error> {
    macro_rules! check {
        ($grant:expr) => {
            assert_eq!(refreshed($grant.scope("read write")?).await, None);
            assert_eq!(refreshed($grant.scope("read write")?.scope_on_refresh()).await.as_deref(), Some("read write"));
            // The order of the options does not matter.
            assert_eq!(refreshed($grant.scope_on_refresh().scope("read")?).await.as_deref(), Some("read"));
            assert_eq!(refreshed($grant.scope_on_refresh()).await, None);
        };
    }
    check!(ClientCredentials::new(TOKEN_URL, client())?);
    check!(Password::new(TOKEN_URL, client(), "alice", "secret")?);
    check!(RefreshToken::new(TOKEN_URL, client(), "r")?);
    check!(DeviceCode::new("https://auth.example.com/device", TOKEN_URL, client(), |_| {})?);
    #[cfg(feature = "loopback")]
    check!(AuthorizationCode::new("https://auth.example.com/authorize", TOKEN_URL, client())?);
    #[cfg(not(feature = "loopback"))]
    let _ = AuthorizationCode::new("https://auth.example.com/authorize", TOKEN_URL, client())?.scope_on_refresh();
    Ok(())
}
