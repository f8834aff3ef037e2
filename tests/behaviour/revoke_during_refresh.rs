//! A revocation includes the token of a refresh that starts during it.

use std::convert::Infallible;
use std::time::Duration;

use http::Request;
use tower::service_fn;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::RevocationEndpoint;
use tower_oauth2::grant::{self, grant_fn};
use tower_oauth2::{OAuth2Layer, Token};

use crate::support::{Body, answer, pass};

const SECOND: Duration = Duration::from_secs(1);

fn token_for(access_token: &str, lifetime: Duration) -> Token {
    Token::bearer(access_token).unwrap().with_expires_in(lifetime)
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_refresh_during_a_revocation_is_revoked_too() {
    let (revoked, mut all) = tokio::sync::mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<Body>| {
        let revoked = revoked.clone();
        async move {
            revoked.send(crate::support::form(request).await).unwrap();
            pass(SECOND).await;
            Ok::<_, Infallible>(answer(200, ""))
        }
    });
    let grant = grant_fn(async |_: grant::Context| {
        pass(10 * SECOND).await;
        Ok(token_for("b", 3600 * SECOND))
    });
    let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
    tokens.set(token_for("a", 3600 * SECOND));
    let endpoint = RevocationEndpoint::new("https://auth.example.com/revoke", Client::public("app")).unwrap();
    let refreshed = {
        let tokens = tokens.clone();
        async move {
            pass(SECOND / 2).await;
            drop(tokens.refresh().await);
        }
    };
    let (done, ()) = tokio::join!(tokens.revoke(&endpoint), refreshed);
    done.unwrap();
    let mut found = Vec::new();
    while let Ok(form) = all.try_recv() {
        found.extend(form.into_iter().filter(|(name, _)| name == "token").map(|(_, value)| value));
    }
    assert_eq!(found.last().map(String::as_str), Some("b"), "{found:?}");
}
