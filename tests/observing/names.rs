//! The names of layers and grants in spans.

use std::time::Duration;

use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Context, DeviceCode, Grant, Password, RefreshToken, grant_fn};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::endpoint;
use crate::recorded::Recorded;
use crate::support::TOKEN_URL;

/// Returns the names of the grant and of the layer in the span of a refresh.
async fn names_of<G: Grant>(grant: G) -> (String, Option<String>) {
    let (recorded, _subscriber) = Recorded::install();
    let layer = OAuth2Layer::new(grant).name("billing").token_service(endpoint(vec![]));
    let _ = tokio::time::timeout(Duration::from_secs(10), layer.clone().tokens().get()).await;
    let [span] = recorded.refresh_spans().try_into().unwrap();
    (span.fields["oauth2.grant"].clone(), span.fields.get("oauth2.name").cloned())
}

struct CustomGrant;

impl Grant for CustomGrant {
    async fn obtain(&self, _: Context) -> Result<Token, Error> {
        Token::bearer("a")
    }

    fn name(&self) -> &'static str {
        "vault"
    }
}

#[tokio::test(start_paused = true)]
async fn spans_have_the_names_of_the_grant_and_the_layer() {
    // The refresh token makes a login unnecessary.
    let expired = || Token::bearer("a").unwrap().with_refresh_token("r").with_expires_in(Duration::ZERO);
    let client = || Client::basic("id", "secret");
    #[cfg(feature = "loopback")]
    let code = tower_oauth2::grant::AuthorizationCode::new("https://auth.example.com/a", TOKEN_URL, client())
        .unwrap()
        .token(expired());
    let device = DeviceCode::new("https://auth.example.com/device", TOKEN_URL, client(), |_| {}).unwrap();
    let client_credentials = || ClientCredentials::new(TOKEN_URL, client()).unwrap();
    let refresh = RefreshToken::new(TOKEN_URL, client(), "r").unwrap();
    for (name, names) in [
        #[cfg(feature = "loopback")]
        ("authorization_code", names_of(code).await),
        ("client_credentials", names_of(client_credentials()).await),
        ("client_credentials", names_of(client_credentials().persisted(MemoryStore::new())).await),
        ("device_code", names_of(device.token(expired())).await),
        ("password", names_of(Password::new(TOKEN_URL, client(), "alice", "wonderland").unwrap()).await),
        ("refresh_token", names_of(refresh).await),
        ("custom", names_of(grant_fn(async |_: Context| Token::bearer("a"))).await),
        ("vault", names_of(CustomGrant).await),
    ] {
        assert_eq!(names, (name.to_owned(), Some("billing".to_owned())));
    }
}
