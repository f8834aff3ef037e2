//! The requests that complete a login, and their pages.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_oauth2::ErrorKind;

use super::{Program, fetch, freeze_clock, grant, send};
use crate::support::answer;

#[tokio::test]
async fn the_page_reports_success() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    let (status, page) = login.redirect_with_code().await;
    assert_eq!(status, 200);
    assert!(page.contains("You are logged in"), "{page}");
    assert!(page.contains("viewport") && page.contains("color-scheme"), "it is not made for phones or dark mode");
    assert!(
        !page.contains("http://") && !page.contains("https://") && !page.contains("<script"),
        "it is not self-contained"
    );
    assert_eq!(login.outcome().await.unwrap().access_token(), "a");
}

#[tokio::test]
async fn a_request_with_a_wrong_state_does_not_end_the_login() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    let state = login.param("state");
    for query in [
        "".to_owned(),
        "code=c".to_owned(),
        "code=c&state=wrong".to_owned(),
        "error=access_denied&state=wrong".to_owned(),
        "code=c&state=wrong&iss=https://evil.example".to_owned(),
        format!("code=c&state={state}&state={state}"),
        format!("code=c&state={state}x"),
    ] {
        let (status, page) = login.redirect(&query).await;
        assert_eq!(status, 400, "{query}");
        assert!(page.contains("This is not a login"), "{query}: {page}");
    }
    let elsewhere = login.param("redirect_uri").replace("/callback", "/favicon.ico");
    assert_eq!(fetch(&elsewhere).await.0, 404);

    assert_eq!(login.redirect(&format!("code=c&state={state}&iss=https://auth.example.com/tenant")).await.0, 200);
    assert_eq!(program.forms.recv().await.unwrap()[1].1, "c");
    login.outcome().await.unwrap();
    assert!(program.forms.try_recv().is_err(), "the code was exchanged again");
}

/// For example, a shell cuts an unquoted URL at its first `&`.
#[tokio::test]
async fn an_unusable_response_does_not_end_the_login() {
    for (query, named) in [
        ("x=y", "neither a `code` nor an `error`"),
        ("code=c&code=d", "`code` twice"),
        ("error=access_denied&error=access_denied", "`error` twice"),
        ("error=access_denied&iss=https://evil.example", "`https://evil.example`"),
    ] {
        let mut program = Program::new(grant(), vec![]);
        let login = program.start_login().await;
        let (status, page) = login.redirect(&format!("{query}&state={}", login.param("state"))).await;
        assert_eq!(status, 400);
        assert!(page.contains("This is not a login") && page.contains(named), "{page}");
        assert!(program.forms.try_recv().is_err(), "the code was exchanged");
        assert_eq!(login.redirect_with_code().await.0, 200);
        login.outcome().await.unwrap();
    }
}

#[tokio::test]
async fn unknown_parameters_are_ignored() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    let more = "&scope=a&scope=b&session_state=1&session_state=1";
    assert_eq!(login.redirect(&format!("code=c&state={}{more}", login.param("state"))).await.0, 200);
    login.outcome().await.unwrap();
}

/// Without it, the error of the timeout would not explain the cause.
#[tokio::test(start_paused = true)]
async fn the_timeout_error_includes_the_last_unusable_request() {
    let still = freeze_clock();
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    login.redirect(&format!("state={}", login.param("state"))).await;
    assert!(!login.waiting.is_finished());
    let (page, _) = send(http::Request::post(login.param("redirect_uri"))).await;
    assert_eq!((page.status.as_u16(), page.headers["allow"].to_str().unwrap()), (405, "GET"));
    drop(still);
    let error = login.outcome().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginExpired);
    assert!(error.to_string().contains("it was a POST"), "{error}");
}

#[tokio::test]
async fn requests_that_are_not_redirects_are_rejected() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    for (sent, expected) in [("nonsense\r\n\r\n", "HTTP/1.1 400"), ("POST /callback HTTP/1.1\r\n\r\n", "HTTP/1.1 405")]
    {
        let mut stream = TcpStream::connect(("127.0.0.1", login.port())).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with(expected), "{response}");
    }
    login.redirect_with_code().await;
    login.outcome().await.unwrap();
}

#[tokio::test]
async fn idle_connections_of_a_browser_do_not_block_it() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    let idle: Vec<_> =
        futures_util::future::join_all((0..20).map(|_| TcpStream::connect(("127.0.0.1", login.port())))).await;
    assert_eq!(login.redirect_with_code().await.0, 200);
    login.outcome().await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn an_error_of_the_server_ends_the_login_with_an_error_page() {
    for (code, kind) in [
        ("access_denied", ErrorKind::Denied),
        ("invalid_scope", ErrorKind::RequestRejected),
        ("temporarily_unavailable", ErrorKind::Overloaded),
    ] {
        let mut program = Program::new(grant(), vec![]);
        let login = program.start_login().await;
        let query = format!("error={code}&error_description=%3Cb%3Eno%3C/b%3E&state={}", login.param("state"));
        let (status, page) = login.redirect(&query).await;
        assert_eq!(status, 400);
        assert!(page.contains("You are not logged in") && page.contains("&lt;b&gt;no"), "{page}");
        let error = login.outcome().await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.oauth().unwrap().error(), code);
        assert!(program.forms.try_recv().is_err(), "the code was exchanged");
    }
}

#[tokio::test]
async fn a_failed_exchange_ends_with_an_error_page() {
    let rejected = answer(400, r#"{"error":"invalid_grant","error_description":"that was used before"}"#);
    let mut program = Program::new(grant(), vec![rejected]);
    let login = program.start_login().await;
    let (status, page) = login.redirect_with_code().await;
    assert_eq!(status, 400);
    assert!(page.contains("You are not logged in") && page.contains("that was used before"), "{page}");
    assert_eq!(login.outcome().await.unwrap_err().kind(), ErrorKind::InvalidGrant);
}
