//! What counts as the answer to a login, and what the person sees.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_oauth2::{ErrorKind, OAuth2Layer};
use tower_test::mock::SendResponse;

use super::{Login, Program, fetch, grant};
use crate::support::{Body, answer, token};

#[tokio::test]
async fn the_page_says_so_when_the_token_is_here() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.begin().await;
    let (status, page) = login.back_with_code().await;
    assert_eq!(status, 200);
    assert!(page.contains("You are logged in"), "{page}");
    assert!(page.contains("viewport") && page.contains("color-scheme"), "for a phone, and for the dark");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"), "self-contained");
    assert_eq!(login.outcome().await.unwrap().access_token(), "a");
}

#[tokio::test]
async fn what_is_foreign_is_told_so_and_the_wait_goes_on() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.begin().await;
    let state = login.asked("state");
    for query in [
        "".to_owned(),
        "code=c".to_owned(),
        "code=c&state=wrong".to_owned(),
        "error=access_denied&state=wrong".to_owned(),
        format!("state={state}"),
        format!("code=c&code=d&state={state}"),
        format!("code=c&state={state}&state={state}"),
        format!("code=c&state={state}&iss=https://evil.example"),
    ] {
        let (status, page) = login.back(&query).await;
        assert_eq!(status, 400, "{query}");
        assert!(page.contains("This is not a login"), "{query}: {page}");
    }
    let elsewhere = login.asked("redirect_uri").replace("/callback", "/favicon.ico");
    assert_eq!(fetch(&elsewhere).await.0, 404);

    assert_eq!(login.back(&format!("code=c&state={state}&iss=https://auth.example.com")).await.0, 200);
    assert_eq!(program.forms.recv().await.unwrap()[1].1, "c");
    login.outcome().await.unwrap();
    assert!(program.forms.try_recv().is_err(), "one exchange");
}

/// A code is exchanged once, though the browser comes back twice.
#[tokio::test]
async fn a_redirect_that_is_repeated_is_told_so() {
    let (token_service, mut exchanges) = tower_test::mock::pair();
    let (show, mut shown) = tokio::sync::mpsc::unbounded_channel();
    let grant = grant().browser(move |url| show.send(url.clone()).unwrap());
    let tokens = OAuth2Layer::new(grant).token_service(token_service).tokens();
    let waiting = tokio::spawn(async move { tokens.get().await });
    let login = Login { url: shown.recv().await.unwrap(), waiting };

    let mut once = Box::pin(login.back_with_code());
    let respond: SendResponse<http::Response<Body>> = tokio::select! {
        _ = &mut once => unreachable!("the page waits for the exchange"),
        exchange = exchanges.next_request() => exchange.unwrap().1,
    };
    let (status, page) = login.back_with_code().await;
    assert_eq!(status, 400);
    assert!(page.contains("has come already"), "{page}");
    respond.send_response(answer(200, token("a", 60)));
    assert_eq!(once.await.0, 200);
    assert_eq!(login.outcome().await.unwrap().access_token(), "a");
}

#[tokio::test]
async fn what_is_no_http_or_not_a_redirect_is_refused() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.begin().await;
    for (sent, expected) in [("nonsense\r\n\r\n", "HTTP/1.1 400"), ("POST /callback HTTP/1.1\r\n\r\n", "HTTP/1.1 405")]
    {
        let mut stream = TcpStream::connect(("127.0.0.1", login.port())).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with(expected), "{said}");
    }
    login.back_with_code().await;
    login.outcome().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_a_browser_leaves_idle_stops_nobody() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.begin().await;
    let idle: Vec<_> =
        futures_util::future::join_all((0..20).map(|_| TcpStream::connect(("127.0.0.1", login.port())))).await;
    assert_eq!(login.back_with_code().await.0, 200);
    login.outcome().await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn an_error_of_the_server_ends_it_and_the_page_does_not_say_that_it_worked() {
    for (code, kind) in [
        ("access_denied", ErrorKind::Denied),
        ("invalid_scope", ErrorKind::RequestRejected),
        ("temporarily_unavailable", ErrorKind::Overloaded),
    ] {
        let mut program = Program::new(grant(), vec![]);
        let login = program.begin().await;
        let query = format!("error={code}&error_description=%3Cb%3Eno%3C/b%3E&state={}", login.asked("state"));
        let (status, page) = login.back(&query).await;
        assert_eq!(status, 400);
        assert!(page.contains("You are not logged in") && page.contains("&lt;b&gt;no"), "{page}");
        let error = login.outcome().await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.oauth().unwrap().error(), code);
        assert!(program.forms.try_recv().is_err(), "no exchange");
    }
}

#[tokio::test]
async fn an_exchange_that_fails_is_no_success_either() {
    let refused = answer(400, r#"{"error":"invalid_grant","error_description":"that was used before"}"#);
    let mut program = Program::new(grant(), vec![refused]);
    let login = program.begin().await;
    let (status, page) = login.back_with_code().await;
    assert_eq!(status, 400);
    assert!(page.contains("You are not logged in") && page.contains("that was used before"), "{page}");
    assert_eq!(login.outcome().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
}

#[tokio::test]
async fn a_known_issuer_must_be_named() {
    let mut program = Program::new(grant().issuer("https://auth.example.com/7"), vec![]);
    let login = program.begin().await;
    let state = login.asked("state");
    assert_eq!(login.back_with_code().await.0, 400);
    assert_eq!(login.back(&format!("code=c&state={state}&iss=https://auth.example.com")).await.0, 400);
    assert_eq!(login.back(&format!("code=c&state={state}&iss=https://auth.example.com/7")).await.0, 200);
    login.outcome().await.unwrap();
}
