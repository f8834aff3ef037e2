//! Other connections to the port do not block the browser.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{Program, freeze_clock, grant};

/// A timeout for tests that would otherwise hang on failure.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream
}

/// Whether the connection is closed. A reset counts too.
fn is_ended(mut stream: TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(read) => read == 0,
        Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_idle_connections_do_not_block_the_browser() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    let port = login.port();
    let slow = move || {
        (0..300)
            .map(|_| {
                let mut slow = connect(port);
                // Some may be closed already.
                let _ = slow.write_all(b"GET /callback HTTP/1.1\r\nX: ");
                slow
            })
            .collect::<Vec<_>>()
    };
    let mut slow = tokio::task::spawn_blocking(slow).await.unwrap();
    let first = slow.remove(0);
    assert!(tokio::task::spawn_blocking(|| is_ended(first)).await.unwrap(), "the oldest connection is not closed");
    assert_eq!(login.redirect_with_code().await.0, 200);
    login.outcome().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_request_times_out_before_the_login() {
    let still = freeze_clock();
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    let mut slow = connect(login.port());
    slow.write_all(b"GET /callback HTTP/1.1\r\nX: ").unwrap();
    // After this request, the slow connection is certainly accepted.
    login.redirect("").await;
    drop(still);
    // Less than the timeout of the login.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let still = super::freeze_clock();
    assert!(is_ended(slow));
    assert_eq!(login.redirect_with_code().await.0, 200);
    login.outcome().await.unwrap();
    drop(still);
}

#[tokio::test]
async fn a_request_of_any_size_is_rejected_or_read() {
    let mut program = Program::new(grant(), vec![]);
    let login = program.start_login().await;
    let port = login.port();
    let status = tokio::task::spawn_blocking(move || {
        let mut endless = connect(port);
        let _ = endless.write_all(format!("GET /callback?{} HTTP/1.1\r\n\r\n", "a=b&".repeat(100_000)).as_bytes());
        let mut status = [0; 12];
        // After a reset, the response may be lost.
        endless.read(&mut status).map(|read| String::from_utf8_lossy(&status[..read]).into_owned()).unwrap_or_default()
    });
    let status = status.await.unwrap();
    assert!(["", "HTTP/1.1 431", "HTTP/1.1 414"].contains(&status.as_str()), "{status}");

    let many = "&a=b".repeat(10_000);
    let (status, _) = login.redirect(&format!("code=c&state={}{many}", login.param("state"))).await;
    assert_eq!(status, 200);
    login.outcome().await.unwrap();
}
