//! The port for the redirect: on loopback only, and open only during the login.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::time::Duration;

use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::{Login, Program, fetch, freeze_clock, grant};
use crate::support::token_endpoint;

/// Longer than the port stays open after a login.
const AFTER_LINGERING: Duration = Duration::from_secs(60);

fn free_ports() -> [u16; 2] {
    let free = [(), ()].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    free.map(|free| free.local_addr().unwrap().port())
}

#[tokio::test(start_paused = true)]
async fn the_port_is_on_loopback_only_and_closed_after_success() {
    let still = freeze_clock();
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    assert!(login.is_open());
    // A listener on all interfaces would accept this too.
    assert!(TcpStream::connect((Ipv4Addr::new(127, 0, 0, 2), login.port())).is_err());
    login.redirect_with_code().await;
    let port = login.port();
    login.outcome().await.unwrap();
    drop(still);
    tokio::time::sleep(AFTER_LINGERING).await;
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_port_is_closed_after_a_failure() {
    let still = freeze_clock();
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    login.redirect(&format!("error=access_denied&state={}", login.param("state"))).await;
    let port = login.port();
    login.outcome().await.unwrap_err();
    drop(still);
    tokio::time::sleep(AFTER_LINGERING).await;
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_port_is_closed_after_a_timeout() {
    let mut program = Program::new(grant().timeout(Duration::ZERO), vec![]);
    let login = program.start_login().await;
    let port = login.port();
    let error = login.outcome().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginExpired);
    tokio::time::sleep(AFTER_LINGERING).await;
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}

/// The next login of the program does not wait until the last one has closed the port.
#[tokio::test]
async fn the_next_login_can_use_the_port_immediately() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    for _ in 0..3 {
        let mut program = Program::new(grant().port(free), vec![]);
        let login = program.start_login().await;
        assert_eq!(login.port(), free);
        assert_eq!(login.redirect_with_code().await.0, 200);
        login.outcome().await.unwrap();
    }
}

/// The first runtime is idle during the login of the second one.
#[test]
fn the_next_login_can_use_the_port_of_an_idle_runtime() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let runtimes = [(), ()].map(|()| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
    for runtime in &runtimes {
        runtime.block_on(async {
            let mut program = Program::new(grant().port(free), vec![]);
            let login = program.start_login().await;
            assert_eq!(login.redirect_with_code().await.0, 200);
            login.outcome().await.unwrap();
        });
    }
}

/// The first login is superseded. Its port would otherwise stay open until its timeout.
#[tokio::test]
async fn a_forgotten_login_releases_its_port() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut program = Program::new(grant().port(free), vec![]);
    let forgotten = program.start_login().await;
    program.tokens.forget();
    let login = program.start_login().await;
    assert_eq!(login.port(), free);
    assert_eq!(forgotten.redirect_with_code().await.0, 400, "it belongs to the first login");
    assert_eq!(login.redirect_with_code().await.0, 200);
    login.outcome().await.unwrap();
    // The waiters of the first login wait for the second one.
    assert_eq!(forgotten.outcome().await.unwrap().access_token(), "a");
}

/// Otherwise its page would report a success, and the program would still wait for the second login.
#[tokio::test]
async fn a_forgotten_login_ends_when_the_next_one_starts() {
    let mut program = Program::new(grant(), vec![]);
    let forgotten = program.start_login().await;
    program.tokens.forget();
    let login = program.start_login().await;
    assert_ne!(login.port(), forgotten.port());
    assert!(!forgotten.is_open());
    assert_eq!(login.redirect_with_code().await.0, 200);
    login.outcome().await.unwrap();
    assert_eq!(forgotten.outcome().await.unwrap().access_token(), "a");
}

#[tokio::test]
async fn layers_that_share_a_grant_have_separate_logins() {
    let ports = free_ports();
    let (show, mut shown) = tokio::sync::mpsc::unbounded_channel();
    let grant = grant().port(ports[0]).port(ports[1]).browser(move |url| show.send(url.clone()).unwrap());
    let grant = std::sync::Arc::new(grant);
    let (token_service, _forms) = token_endpoint(vec![]);
    let mut logins = Vec::new();
    for _ in 0..2 {
        let tokens = OAuth2Layer::new(grant.clone()).token_service(token_service.clone()).tokens();
        let waiting = tokio::spawn(async move { tokens.get().await });
        logins.push(Login { url: shown.recv().await.unwrap(), waiting });
    }
    assert_eq!([logins[0].port(), logins[1].port()], ports);
    for login in logins {
        assert_eq!(login.redirect_with_code().await.0, 200);
        login.outcome().await.unwrap();
    }
}

#[tokio::test]
async fn a_pending_login_keeps_its_port() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    // Another grant with the same settings.
    let second = Program::new(grant().port(login.port()), vec![]);
    assert_eq!(second.tokens.get().await.unwrap_err().kind(), ErrorKind::Loopback);
    assert_eq!(login.redirect_with_code().await.0, 200);
    login.outcome().await.unwrap();
}

#[tokio::test]
async fn the_path_can_be_empty_have_a_query_and_need_encoding() {
    for (path, expected, requested) in [
        ("", "", "/"),
        ("/", "/", "/"),
        ("back", "/back", "/back"),
        ("/back/here?tenant=7", "/back/here?tenant=7", "/back/here"),
        ("/zurück her", "/zurück her", "/zur%C3%BCck%20her"),
    ] {
        let mut program = Program::new(grant().path(path), vec![]);
        let login = program.start_login().await;
        let origin = format!("http://127.0.0.1:{}", login.port());
        assert_eq!(login.param("redirect_uri"), format!("{origin}{expected}"));
        let (status, page) = fetch(&format!("{origin}{requested}?code=c&state={}", login.param("state"))).await;
        assert_eq!(status, 200, "{path}: {page}");
        let form = program.forms.recv().await.unwrap();
        assert!(form.contains(&("redirect_uri".to_owned(), login.param("redirect_uri"))), "{form:?}");
        login.outcome().await.unwrap();
    }
}

#[test]
fn the_port_is_closed_when_the_login_is_cancelled() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut program = Program::new(grant(), vec![]);
    let login = runtime.block_on(program.start_login());
    assert!(login.is_open());
    // A login outlives its waiters. It ends with its runtime and the last handle.
    drop((runtime, program));
    assert!(!login.is_open());
}

#[tokio::test]
async fn the_first_free_port_is_used() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ports = [taken.local_addr().unwrap().port(), free.local_addr().unwrap().port()];

    let none = Program::new(grant().port(ports[0]).port(ports[1]), vec![]);
    let error = none.tokens.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Loopback);
    assert!(error.to_string().contains(&ports[1].to_string()), "{error}");

    drop(free);
    let mut program = Program::new(grant().port(ports[0]).port(ports[1]).path("/back/here"), vec![]);
    let login = program.start_login().await;
    assert_eq!(login.param("redirect_uri"), format!("http://127.0.0.1:{}/back/here", ports[1]));
    login.redirect_with_code().await;
    login.outcome().await.unwrap();
}

#[tokio::test]
async fn localhost_listens_on_both_families_on_one_port() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return; // This machine has no IPv6.
    }
    let mut program = Program::new(grant().localhost(), vec![]);
    let login = program.start_login().await;
    assert_eq!(login.param("redirect_uri"), format!("http://localhost:{}/callback", login.port()));
    assert!(login.is_open());
    let (status, _) =
        fetch(&format!("http://[::1]:{}/callback?code=c&state={}", login.port(), login.param("state"))).await;
    assert_eq!(status, 200);
    login.outcome().await.unwrap();
}

/// Otherwise the other program could receive the redirect.
#[tokio::test]
async fn localhost_does_not_share_a_port_with_another_program() {
    let Ok(other) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
    let port = other.local_addr().unwrap().port();
    let program = Program::new(grant().localhost().port(port), vec![]);
    assert_eq!(program.tokens.get().await.unwrap_err().kind(), ErrorKind::Loopback);
}

/// Otherwise callers in another runtime would wait until the timeout.
#[test]
fn a_login_fails_when_the_runtime_that_serves_its_port_shuts_down() {
    let runtimes =
        [(), ()].map(|()| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
    let [first, second] = runtimes;
    let mut program = Program::new(grant().timeout(Duration::from_secs(20)), vec![]);
    let login = first.block_on(program.start_login());
    let tokens = program.tokens.clone();
    let waiting = second.spawn(async move { tokens.get().await });
    drop(first);
    let error = second.block_on(waiting).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Loopback);
    assert!(error.to_string().contains("shut down"), "{error}");
    assert!(!login.is_open());
}
