//! By which names layers and grants are told apart.

use std::time::Duration;

use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, DeviceCode, Grant, Password, RefreshToken};
use tower_oauth2::store::MemoryStore;
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::endpoint;
use crate::seen::Seen;
use crate::support::TOKEN_URL;

/// What a flight of a layer with this grant is called.
async fn told<G: Grant>(grant: G) -> (String, Option<String>) {
    let (seen, _listening) = Seen::listen();
    let layer = OAuth2Layer::new(grant).name("billing").token_service(endpoint(vec![]));
    let _ = tokio::time::timeout(Duration::from_secs(10), layer.clone().tokens().get()).await;
    let [span] = seen.flights().try_into().unwrap();
    (span.fields["oauth2.grant"].clone(), span.fields.get("oauth2.name").cloned())
}

struct OfMyOwn;

impl Grant for OfMyOwn {
    async fn obtain(&self, _: Option<Token>, _: Transport) -> Result<Token, Error> {
        Token::bearer("a")
    }

    fn name(&self) -> &'static str {
        "vault"
    }
}

#[tokio::test(start_paused = true)]
async fn every_grant_has_one_and_so_may_a_layer() {
    let preset = || Token::bearer("a").unwrap();
    let client = || Client::basic("id", "secret");
    #[cfg(feature = "loopback")]
    let code = tower_oauth2::grant::AuthorizationCode::new("https://auth.example.com/a", TOKEN_URL, client())
        .unwrap()
        .token(preset());
    let device = DeviceCode::new("https://auth.example.com/device", TOKEN_URL, client(), |_| {}).unwrap();
    let client_credentials = || ClientCredentials::new(TOKEN_URL, client()).unwrap();
    let refresh = RefreshToken::new(TOKEN_URL, client(), "r").unwrap();
    for (name, told) in [
        #[cfg(feature = "loopback")]
        ("authorization_code", told(code).await),
        ("client_credentials", told(client_credentials()).await),
        ("client_credentials", told(client_credentials().persisted(MemoryStore::new())).await),
        ("device_code", told(device.token(preset())).await),
        ("password", told(Password::new(TOKEN_URL, client(), "alice", "wonderland").unwrap()).await),
        ("refresh_token", told(refresh).await),
        ("custom", told(async |_: Option<Token>, _: Transport| Token::bearer("a")).await),
        ("vault", told(OfMyOwn).await),
    ] {
        assert_eq!(told, (name.to_owned(), Some("billing".to_owned())));
    }
}
