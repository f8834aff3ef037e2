//! S1, S2, S3: a challenge starts a login in the browser, and not the refresh token.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower_oauth2::client::Client;
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::{ErrorKind, OAuth2Layer};
use url::Url;

use super::{FRESHER_LOGIN, Program, challenge, needs_claims, needs_scope, of_login, read, within};
use crate::support::{TOKEN_URL, answer, ours};

/// The login URLs that were shown to the person.
struct Browser(mpsc::UnboundedReceiver<Url>);

fn grant() -> (AuthorizationCode, Browser) {
    let (show, shown) = mpsc::unbounded_channel();
    let client = Client::public("id");
    let grant = AuthorizationCode::new("https://auth.example.com/authorize", TOKEN_URL, client).unwrap();
    (grant.browser(move |url| show.send(url.clone()).unwrap()), Browser(shown))
}

impl Browser {
    async fn next(&mut self) -> Url {
        self.0.recv().await.unwrap()
    }

    fn assert_none(&mut self) {
        assert!(self.0.try_recv().is_err(), "a browser was opened");
    }
}

fn param(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(param, _)| param == name).map(|(_, value)| value.into_owned())
}

/// Follows the redirect of the server, and reads the final page.
fn redirect(url: &Url, outcome: &str) -> JoinHandle<String> {
    let back = Url::parse(&param(url, "redirect_uri").unwrap()).unwrap();
    let request = format!("{}?{outcome}&state={}", back.path(), param(url, "state").unwrap());
    tokio::spawn(async move {
        let mut stream = TcpStream::connect(("127.0.0.1", back.port().unwrap())).await.unwrap();
        stream.write_all(format!("GET {request} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        page
    })
}

#[tokio::test]
async fn s1_s3_the_demands_are_in_a_new_authorization_request() {
    within(async {
        let (grant, mut browser) = grant();
        let layer = OAuth2Layer::new(grant.scope("read").unwrap()).step_up();
        let mut program = Program::with_token(&layer, of_login("a"));
        let sent = program.challenged(challenge(401, &format!(r#"{FRESHER_LOGIN}, scope="pay""#))).await;
        let url = browser.next().await;
        for (name, value) in [("acr_values", "mfa"), ("max_age", "60"), ("scope", "read pay")] {
            assert_eq!(param(&url, name).as_deref(), Some(value), "{name}");
        }
        let page = redirect(&url, "code=c");
        let form = program.issue("b").await;
        assert_eq!((form["grant_type"].as_str(), form["code"].as_str()), ("authorization_code", "c"));
        assert_eq!(form.get("refresh_token"), None);
        program.accept(sent, "b").await;
        assert!(page.await.unwrap().contains("You are logged in"));
        // A later refresh has the scope of the login, and asks no person.
        program.tokens.set(program.tokens.peek().unwrap().with_refresh_token("r1"));
        let refreshing = crate::support::spawn_refresh(&program.tokens);
        assert_eq!(program.issue("c").await["refresh_token"], "r1");
        refreshing.await.unwrap().unwrap();
        program.assert_passes(needs_scope("pay")).await;
        browser.assert_none();
    })
    .await;
}

#[tokio::test]
async fn s2_a_person_without_such_a_login_is_denied() {
    within(async {
        let (grant, mut browser) = grant();
        let mut program = Program::with_token(&OAuth2Layer::new(grant).step_up(), of_login("a"));
        let sent = program.challenged(challenge(401, FRESHER_LOGIN)).await;
        let page = redirect(&browser.next().await, "error=unmet_authentication_requirements");
        let error = ours(sent.await.unwrap().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(error.oauth().unwrap().error(), "unmet_authentication_requirements");
        assert!(page.await.unwrap().contains("You are not logged in"));
        assert_eq!(program.tokens.peek(), Some(of_login("a")));
        program.assert_passes(challenge(401, FRESHER_LOGIN)).await;
        browser.assert_none();
    })
    .await;
}

#[tokio::test]
async fn with_login_on_request_false_only_a_call_of_the_application_opens_the_browser() {
    within(async {
        let (grant, mut browser) = grant();
        let layer = OAuth2Layer::new(grant.login_on_request(false)).step_up();
        let mut program = Program::with_token(&layer, of_login("a"));
        let sent = program.challenged(needs_scope("write")).await;
        assert_eq!(ours(sent.await.unwrap().unwrap_err()).kind(), ErrorKind::LoginRequired);
        browser.assert_none();
        let stepping = program.step_up(&read(&needs_scope("write")));
        let url = browser.next().await;
        assert_eq!(param(&url, "scope").as_deref(), Some("write"));
        redirect(&url, "code=c");
        program.issue("b").await;
        assert_eq!(stepping.await.unwrap().unwrap().access_token(), "b");
    })
    .await;
}

/// S5: the claims are in the authorization request too, because the refresh token was not enough.
#[tokio::test]
async fn s5_claims_are_in_the_login_that_the_server_demands_for_them() {
    within(async {
        let (grant, mut browser) = grant();
        let mut program = Program::with_token(&OAuth2Layer::new(grant).step_up(), of_login("a"));
        let sent = program.challenged(needs_claims(super::CLAIMS)).await;
        let (form, respond) = program.token_request().await;
        assert_eq!((form["refresh_token"].as_str(), form["claims"].as_str()), ("r0", super::CLAIMS));
        respond.send_response(answer(400, serde_json::json!({"error": "interaction_required"})));
        let url = browser.next().await;
        assert_eq!(param(&url, "claims").as_deref(), Some(super::CLAIMS));
        redirect(&url, "code=c");
        assert_eq!(program.issue("b").await["grant_type"], "authorization_code");
        program.accept(sent, "b").await;
    })
    .await;
}
