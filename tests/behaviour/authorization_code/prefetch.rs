//! Speculative and repeated requests do not take the code or the page from the user.

use http::Request;
use tower_oauth2::OAuth2Layer;

use super::{Login, Program, fetch, grant, send};
use crate::support::{Body, answer, token};

#[tokio::test]
async fn a_prefetch_does_not_complete_the_login() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    let address = format!("{}?code=c&state={}", login.param("redirect_uri"), login.param("state"));
    for (name, value) in [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch")] {
        let (page, text) = send(Request::get(&address).header(name, value)).await;
        assert_eq!(page.status, 503, "{name}");
        assert!(!text.contains("logged in"), "{text}");
    }
    let (page, _) = send(Request::head(&address)).await;
    assert_eq!(page.status, 405);
    assert!(program.forms.try_recv().is_err(), "the code was exchanged");

    let (status, page) = fetch(&address).await;
    assert_eq!(status, 200);
    assert!(page.contains("You are logged in"), "{page}");
    login.outcome().await.unwrap();
}

/// Some scanners and link previews send no headers that identify them.
#[tokio::test]
async fn a_repeated_request_after_the_login_gets_the_same_page() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    let address = format!("{}?code=c&state={}", login.param("redirect_uri"), login.param("state"));
    assert_eq!(fetch(&address).await.0, 200);
    login.outcome().await.unwrap();
    for _ in 0..3 {
        let (status, page) = fetch(&address).await;
        assert_eq!(status, 200);
        assert!(page.contains("You are logged in"), "{page}");
    }
    // Another query is not the one that completed the login.
    let (status, page) = fetch(&address.replace("code=c", "code=d")).await;
    assert_eq!(status, 400);
    assert!(page.contains("has ended"), "{page}");
    program.forms.recv().await.unwrap();
    assert!(program.forms.try_recv().is_err(), "the code was exchanged again");
}

#[tokio::test]
async fn a_repeated_request_after_a_failure_gets_the_same_page() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    let query = format!("error=access_denied&error_description=no&state={}", login.param("state"));
    let address = format!("{}?{query}", login.param("redirect_uri"));
    fetch(&address).await;
    login.outcome().await.unwrap_err();
    let (status, page) = fetch(&address).await;
    assert_eq!(status, 400);
    assert!(page.contains("The server says: no"), "{page}");
}

/// A code is exchanged once, even if the browser repeats the redirect during the exchange.
#[tokio::test]
async fn a_repeated_redirect_gets_the_same_page() {
    let (token_service, mut exchanges) = tower_test::mock::pair::<Request<Body>, http::Response<Body>>();
    let (show, mut shown) = tokio::sync::mpsc::unbounded_channel();
    let grant = grant().browser(move |url| show.send(url.clone()).unwrap());
    let tokens = OAuth2Layer::new(grant).token_service(token_service).tokens();
    let waiting = tokio::spawn(async move { tokens.get().await });
    let login = Login { url: shown.recv().await.unwrap(), waiting };

    let mut first = Box::pin(login.redirect_with_code());
    let respond = tokio::select! {
        _ = &mut first => unreachable!("the page is sent after the exchange"),
        exchange = exchanges.next_request() => exchange.unwrap().1,
    };
    // A browser that closes the connection does not end the login.
    drop(first);
    let (status, page) = login.redirect(&format!("code=d&state={}", login.param("state"))).await;
    assert_eq!(status, 400);
    assert!(page.contains("was completed by an earlier request"), "{page}");
    let second = login.redirect_with_code();
    let (second, ()) = tokio::join!(second, async { respond.send_response(answer(200, token("a", 60))) });
    assert_eq!(second.0, 200);
    assert_eq!(login.outcome().await.unwrap().access_token(), "a");
}
