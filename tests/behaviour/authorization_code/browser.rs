//! A browser in the foreground exits when the user closes it. Neither the login nor the runtime waits for it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use tower_oauth2::{ErrorKind, OAuth2Layer};
use url::Url;

use super::grant;
use crate::support::token_endpoint;

/// A timeout for tests that would otherwise hang on failure.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// A text browser: follows the redirect of the server, and returns the final page before it exits.
fn browse(url: &Url) -> String {
    let param = |name: &str| url.query_pairs().find(|(param, _)| param == name).unwrap().1.into_owned();
    let back = Url::parse(&param("redirect_uri")).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", back.port().unwrap())).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    write!(stream, "GET {}?code=c&state={} HTTP/1.1\r\n\r\n", back.path(), param("state")).unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[tokio::test]
async fn a_browser_in_the_foreground_receives_its_page() {
    let (show, shown) = mpsc::channel();
    let grant = grant().browser(move |url| show.send(browse(url)).unwrap());
    let (token_service, _forms) = token_endpoint(vec![]);
    let tokens = OAuth2Layer::new(grant).token_service(token_service).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    let page = tokio::task::spawn_blocking(move || shown.recv_timeout(TEST_TIMEOUT).unwrap()).await.unwrap();
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("You are logged in"), "{page}");
}

/// The function of `announce` may block too, for example on a full pipe.
#[test]
fn a_browser_that_stays_open_blocks_nothing() {
    for announced in [false, true] {
        let (done, outcome) = mpsc::channel();
        let (close, closed) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let closed = std::sync::Mutex::new(closed);
            let stays = move |_: &Url| {
                let _ = closed.lock().unwrap().recv();
            };
            let grant = grant().timeout(Duration::ZERO);
            let grant = if announced { grant.announce(stays).browser(|_| ()) } else { grant.browser(stays) };
            let tokens = OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0).tokens();
            let expired = runtime.block_on(tokens.get()).unwrap_err();
            drop(runtime);
            done.send(expired).unwrap();
        });
        let expired = outcome.recv_timeout(TEST_TIMEOUT).expect("the program waited for the browser");
        assert_eq!(expired.kind(), ErrorKind::LoginExpired);
        drop(close);
    }
}

#[tokio::test]
async fn a_panic_of_the_browser_function_fails_the_login() {
    let grant = grant().browser(|_| panic!("no display"));
    let tokens = OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0).tokens();
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Panicked);
}

#[tokio::test]
async fn the_url_is_announced_before_the_browser_starts_and_within_the_runtime() {
    let (show, mut shown) = tokio::sync::mpsc::unbounded_channel();
    let also = show.clone();
    let grant = grant()
        .browser(move |url| {
            let (show, url) = (show.clone(), url.clone());
            tokio::spawn(async move { show.send(("browser", url)) });
        })
        .announce(move |url| also.send(("announce", url.clone())).unwrap());
    let tokens = OAuth2Layer::new(grant).token_service(token_endpoint(vec![]).0).tokens();
    let waiting = tokio::spawn(async move { tokens.get().await });
    let (first, second) = (shown.recv().await.unwrap(), shown.recv().await.unwrap());
    assert_eq!((first.0, second.0), ("announce", "browser"));
    assert_eq!(first.1, second.1);
    waiting.abort();
}

/// The timeout of the login covers the user's part only.
#[tokio::test(start_paused = true)]
async fn the_exchange_has_its_own_timeout() {
    let still = super::freeze_clock();
    let (token_service, mut exchanges) = tower_test::mock::pair::<http::Request<crate::support::Body>, _>();
    let (show, mut shown) = tokio::sync::mpsc::unbounded_channel();
    let grant = grant().browser(move |url| show.send(url.clone()).unwrap()).timeout(Duration::from_secs(5));
    let tokens = OAuth2Layer::new(grant).token_service(token_service).tokens();
    let waiting = tokio::spawn(async move { tokens.get().await });
    let login = super::Login { url: shown.recv().await.unwrap(), waiting };
    let back = async {
        let page = login.redirect_with_code().await;
        assert_eq!(page.0, 200, "{}", page.1);
    };
    let exchange = async {
        let (_, respond) = exchanges.next_request().await.unwrap();
        tokio::time::advance(Duration::from_secs(20)).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        respond.send_response(crate::support::answer(200, crate::support::token("a", 3600)));
    };
    tokio::join!(back, exchange);
    assert_eq!(login.outcome().await.unwrap().access_token(), "a");
    drop(still);
}

/// A program may exit right after its login.
#[test]
fn the_login_ends_after_the_page_was_sent() {
    for _ in 0..20 {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (show, shown) = mpsc::channel();
        let page = std::thread::spawn(move || browse(&shown.recv_timeout(TEST_TIMEOUT).unwrap()));
        let grant = grant().browser(move |url| show.send(url.clone()).unwrap());
        let (token_service, _forms) = token_endpoint(vec![]);
        let tokens = OAuth2Layer::new(grant).token_service(token_service).tokens();
        runtime.block_on(tokens.get()).unwrap();
        drop(runtime);
        assert!(page.join().unwrap().contains("You are logged in"));
    }
}
