//! The system's browser, and a closed standard error. Each test has its own process, because both are settings of a process.

use std::env;
use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use http::Request;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tower_oauth2::OAuth2Layer;
use url::Url;

use super::{grant, send};
use crate::support::token_endpoint;

/// The address to which the browser reports its URL. Only the child processes have this variable.
const REPORT: &str = "TOWER_OAUTH2_TEST_BROWSER";

/// A timeout for tests that would otherwise hang on failure.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The child process that logs in.
#[tokio::test]
async fn the_program() {
    if env::var_os(REPORT).is_some() {
        let (token_service, _forms) = token_endpoint(vec![]);
        let tokens = OAuth2Layer::new(grant()).token_service(token_service).tokens();
        assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    }
}

/// The browser. Its last argument is a URL. It is selected by its name without the module, because `BROWSER` cannot contain a colon.
#[test]
fn reports_the_url_of_its_command_line() {
    if let Ok(report) = env::var(REPORT) {
        let address = env::args().next_back().unwrap();
        TcpStream::connect(report).unwrap().write_all(address.as_bytes()).unwrap();
    }
}

/// Starts the program, and returns the URL that the browser was started with.
async fn start(stderr: Stdio) -> (Child, Url) {
    let reports = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let this = env::current_exe().unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut program = Command::new(&this)
        .args(["--exact", &format!("{module}::the_program"), "--nocapture"])
        .env(REPORT, reports.local_addr().unwrap().to_string())
        .env("BROWSER", format!("{} reports_the_url_of_its_command_line", this.display()))
        .stdout(Stdio::null())
        .stderr(stderr)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let report = async {
        tokio::select! {
            report = reports.accept() => report.unwrap().0,
            ended = program.wait() => panic!("no browser was started: {ended:?}"),
        }
    };
    let mut report = tokio::time::timeout(TEST_TIMEOUT, report).await.expect("no browser was started");
    let mut address = String::new();
    report.read_to_string(&mut address).await.unwrap();
    (program, Url::parse(&address).unwrap())
}

/// Completes the login, and waits for the program to succeed.
async fn log_in(mut program: Child, authorize: &Url) {
    let param = |name: &str| authorize.query_pairs().find(|(param, _)| param == name).unwrap().1.into_owned();
    let (page, _) = send(Request::get(format!("{}?code=c&state={}", param("redirect_uri"), param("state")))).await;
    assert_eq!(page.status, 200);
    assert!(
        tokio::time::timeout(TEST_TIMEOUT, program.wait()).await.expect("the program still runs").unwrap().success()
    );
}

/// Requests the start URL, and returns the location of its redirect.
async fn follow(start: &Url) -> Url {
    let (page, _) = send(Request::get(start.as_str())).await;
    assert_eq!(page.status, 302);
    Url::parse(page.headers["location"].to_str().unwrap()).unwrap()
}

#[tokio::test]
async fn the_command_line_has_a_url_that_redirects_to_the_login_once() {
    let (mut program, start) = start(Stdio::piped()).await;
    assert_eq!((start.scheme(), start.host_str()), ("http", Some("127.0.0.1")));
    assert_eq!(start.query(), None, "the state is on the command line");
    let elsewhere = start.join("/start/guessed").unwrap();
    assert_eq!(send(Request::get(elsewhere.as_str())).await.0.status, 404);
    // A prefetch does not use it up.
    assert_eq!(send(Request::get(start.as_str()).header("sec-purpose", "prefetch")).await.0.status, 503);
    assert_eq!(send(Request::head(start.as_str())).await.0.status, 405);

    let authorize = follow(&start).await;
    assert!(authorize.as_str().starts_with("https://auth.example.com/authorize?"), "{authorize}");
    let (page, text) = send(Request::get(start.as_str())).await;
    assert_eq!(page.status, 410);
    assert!(!text.contains("state="), "{text}");

    let mut stderr = program.stderr.take().unwrap();
    log_in(program, &authorize).await;
    let mut printed = String::new();
    stderr.read_to_string(&mut printed).await.unwrap();
    assert!(printed.contains(authorize.as_str()), "the URL is not printed: {printed}");
}

#[tokio::test]
async fn a_closed_standard_error_does_not_fail_the_login() {
    // Writing to a pipe without a reader is an error.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (program, start) = start(writer.into()).await;
    log_in(program, &follow(&start).await).await;
}
