//! The port for the redirect: on this machine only, and only as long as the login.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::time::Duration;

use tower_oauth2::ErrorKind;

use super::{Program, fetch, grant};

#[tokio::test]
async fn it_is_on_loopback_only_and_closed_after_success() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.begin().await;
    assert!(login.is_open());
    // One that listens on all interfaces would be here too.
    assert!(TcpStream::connect((Ipv4Addr::new(127, 0, 0, 2), login.port())).is_err());
    login.back_with_code().await;
    let port = login.port();
    login.outcome().await.unwrap();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}

#[tokio::test]
async fn it_is_closed_after_a_failure() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.begin().await;
    login.back(&format!("error=access_denied&state={}", login.asked("state"))).await;
    let port = login.port();
    login.outcome().await.unwrap_err();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}

#[tokio::test]
async fn it_is_closed_when_nobody_comes() {
    let mut program = Program::new(grant().timeout(Duration::ZERO), vec![]);
    let login = program.begin().await;
    let port = login.port();
    let error = login.outcome().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginExpired);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}

#[test]
fn it_is_closed_when_the_login_is_cancelled() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut program = Program::new(grant(), vec![]);
    let login = runtime.block_on(program.begin());
    assert!(login.is_open());
    // A login survives those who wait for it; it ends with the runtime, and the last handle.
    drop((runtime, program));
    assert!(!login.is_open());
}

#[tokio::test]
async fn the_first_free_port_is_taken() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ports = [taken.local_addr().unwrap().port(), free.local_addr().unwrap().port()];

    let none = Program::new(grant().port(ports[0]).port(ports[1]), vec![]);
    let error = none.tokens.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Loopback);
    assert!(error.to_string().contains(&ports[1].to_string()), "{error}");

    drop(free);
    let mut program = Program::new(grant().port(ports[0]).port(ports[1]).path("/back/here"), vec![]);
    let login = program.begin().await;
    assert_eq!(login.asked("redirect_uri"), format!("http://127.0.0.1:{}/back/here", ports[1]));
    login.back_with_code().await;
    login.outcome().await.unwrap();
}

#[tokio::test]
async fn localhost_is_both_families_on_one_port() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return; // No IPv6 here: then there is one family.
    }
    let mut program = Program::new(grant().localhost(), vec![]);
    let login = program.begin().await;
    assert_eq!(login.asked("redirect_uri"), format!("http://localhost:{}/callback", login.port()));
    assert!(login.is_open());
    let (status, _) =
        fetch(&format!("http://[::1]:{}/callback?code=c&state={}", login.port(), login.asked("state"))).await;
    assert_eq!(status, 200);
    login.outcome().await.unwrap();
}

/// A port of which only one family is free belongs to somebody else: the redirect might go to them.
#[tokio::test]
async fn localhost_does_not_share_a_port_with_another_program() {
    let Ok(other) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
    let port = other.local_addr().unwrap().port();
    let program = Program::new(grant().localhost().port(port), vec![]);
    assert_eq!(program.tokens.get().await.unwrap_err().kind(), ErrorKind::Loopback);
}
