//! Authorization requests that are pushed (RFC 9126), at servers that require it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::StatusCode;
use serde_json::json;
use tower::Layer;
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::{ErrorKind, OAuth2Layer, client::Client, transport::Transport};
use url::Url;

use crate::authorization_code::{at_glewlwyd, at_oidc_provider};
use crate::glewlwyd;
use crate::oidc_provider::{ExclusiveServer, server};
use crate::plain::{self, call, failed_call, get, send};
use crate::user::User;

const REDIRECT_URI: &str = "http://127.0.0.1/callback";

fn public(server: &ExclusiveServer) -> AuthorizationCode {
    at_oidc_provider(server, Client::public("native-par"))
}

#[tokio::test]
async fn oidc_provider_requires_it() {
    let Some(server) = server().await else { return };
    let clients = [
        Client::public("native-par"),
        Client::basic("confidential-par", "confidential-par-secret"),
        #[cfg(feature = "jwt")]
        Client::private_key_jwt("jwt-par", crate::signing::key(server.get("CLIENT_KEY_ES256")))
            .audience(server.get("ISSUER")),
    ];
    let logins = clients.len();
    for client in clients {
        let grant = at_oidc_provider(&server, client).issuer(server.get("ISSUER"));
        let error = failed_call(grant.clone(), server.get("API")).await;
        assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::RequestRejected, "invalid_request"));

        let (grant, urls) = recording(grant.pushed(server.get("PAR")).unwrap());
        let (status, echo) = call(grant, server.get("API")).await;
        assert_eq!((status, &echo["sub"]), (StatusCode::OK, &json!("alice")), "{echo}");
        assert_eq!(echo["scope"], "openid offline_access api:read", "the scope is in the push");
        assert_eq!(names(&urls.lock().unwrap()[0]), ["client_id", "request_uri"]);
    }
    let counts = server.counts().await;
    assert_eq!(counts["token"], json!({"authorization_code": logins}), "{counts}");
    assert_eq!(counts["other"]["POST /request"], logins, "{counts}");
}

/// Both the browser of the user and another one open the address. The other one finishes first.
#[tokio::test]
async fn a_spent_request_is_an_error_and_the_next_login_pushes_another() {
    let Some(server) = server().await else { return };
    let first = AtomicBool::new(true);
    let (alice, late) = (User::at_oidc_provider(), User::at_oidc_provider().late());
    let grant = public(&server)
        .pushed(server.get("PAR"))
        .unwrap()
        .browser(move |url| if first.swap(false, Ordering::Relaxed) { late.open(url) } else { alice.open(url) });
    let service = OAuth2Layer::new(grant).token_service(plain::client()).layer(plain::client());
    let error = service.tokens().get().await.unwrap_err();
    assert_eq!((error.kind(), error.oauth().unwrap().error()), (ErrorKind::RequestRejected, "invalid_request_uri"));
    assert!(!error.is_transient());

    service.tokens().refresh().await.unwrap();
    assert_eq!(send(service, get(server.get("API"))).await.unwrap().0, StatusCode::OK);
    let counts = server.counts().await;
    assert_eq!(counts["other"]["POST /request"], 2, "{counts}");
}

#[tokio::test]
async fn an_error_of_the_push_is_that_of_a_token_request_and_ends_the_login() {
    let Some(server) = server().await else { return };
    let no_browser = |client| at_oidc_provider(&server, client).browser(|url| panic!("opened {url}"));
    let public = || no_browser(Client::public("native-par"));
    let wrong_secret = Client::basic("confidential-par", "wrong-secret");
    for (grant, par, kind, status, code) in [
        (no_browser(wrong_secret), "PAR", ErrorKind::ClientRejected, 401, "invalid_client"),
        (public().path("/other"), "PAR", ErrorKind::RequestRejected, 400, "invalid_request"),
        (public().param("max_age", "-1"), "PAR", ErrorKind::RequestRejected, 400, "invalid_request"),
        (public().resource("urn:x").unwrap(), "PAR", ErrorKind::RequestRejected, 400, "invalid_target"),
        // Another endpoint: it is a token request without a grant.
        (public(), "TOKEN", ErrorKind::RequestRejected, 400, "invalid_request"),
    ] {
        let error = failed_call(grant.pushed(server.get(par)).unwrap(), server.get("API")).await;
        assert_eq!((error.kind(), error.oauth().unwrap().error()), (kind, code));
        assert_eq!(error.status().unwrap().as_u16(), status);
        assert!(!error.is_transient());
        assert!(!format!("{error} {error:?}").contains("wrong-secret"));
    }
    let counts = server.counts().await;
    assert_eq!(counts["other"], json!({"POST /request": 4}), "no browser was opened: {counts}");
}

/// A web application starts the login in one process and ends it in another.
#[tokio::test]
async fn a_web_application_pushes_and_ends_the_login_elsewhere() {
    let Some(server) = server().await else { return };
    let transport = Transport::new(plain::client());
    let grant = || public(&server).issuer(server.get("ISSUER")).pushed(server.get("PAR")).unwrap();
    let login = grant().begin(&transport, REDIRECT_URI).await.unwrap();
    assert_eq!(names(login.url()), ["client_id", "request_uri"]);
    let redirect = User::at_oidc_provider().follow(login.url()).await;
    let stored = serde_json::to_string(&login).unwrap();

    let grant = grant();
    let login = serde_json::from_str(&stored).unwrap();
    let code = grant.callback(login, redirect.query().unwrap()).unwrap();
    let token = grant.exchange(&transport, code).await.unwrap();
    assert_eq!(plain::send_with_token(server.get("API"), &token).await, StatusCode::OK);
}

#[tokio::test]
async fn glewlwyd_requires_it() {
    let Some(server) = glewlwyd::server().await else { return };
    for client in [Client::public("native"), Client::basic("confidential", "confidential-secret")] {
        let grant = at_glewlwyd(&server, "OIDC_PUSHED", client).issuer(server.of("OIDC_PUSHED", "ISSUER"));
        let (grant, urls) = recording_at(grant.pushed(server.of("OIDC_PUSHED", "PAR")).unwrap(), User::at_glewlwyd());
        assert_eq!(call(grant, server.api("OIDC_PUSHED")).await.0, StatusCode::OK);
        assert_eq!(names(&urls.lock().unwrap()[0]), ["client_id", "request_uri"]);
    }
    // The response has no body, as most errors of this server.
    let wrong = Client::basic("confidential", "wrong-secret");
    let grant = at_glewlwyd(&server, "OIDC_PUSHED", wrong).browser(|url| panic!("opened {url}"));
    let error = failed_call(grant.pushed(server.of("OIDC_PUSHED", "PAR")).unwrap(), server.api("OIDC_PUSHED")).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::NotOAuth, Some(StatusCode::FORBIDDEN)));
}

// ===== the address that the browser opens =====

pub(crate) type Urls = Arc<Mutex<Vec<Url>>>;

/// Alice logs in at oidc-provider. The addresses that she opens are recorded.
pub(crate) fn recording(grant: AuthorizationCode) -> (AuthorizationCode, Urls) {
    recording_at(grant, User::at_oidc_provider())
}

pub(crate) fn recording_at(grant: AuthorizationCode, user: User) -> (AuthorizationCode, Urls) {
    let urls = Urls::default();
    let opened = urls.clone();
    let grant = grant.browser(move |url| {
        opened.lock().unwrap().push(url.clone());
        user.open(url);
    });
    (grant, urls)
}

/// The names of the parameters.
pub(crate) fn names(url: &Url) -> Vec<String> {
    url.query_pairs().map(|(name, _)| name.into_owned()).collect()
}
