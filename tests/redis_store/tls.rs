//! TLS with the certificates of the system.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use tower_oauth2::store::{RedisStore, TokenStore};

use crate::key;
use crate::server::{PASSWORD, Redis};

#[test]
fn the_certificate_of_the_server_is_verified() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("redis-tls-{}", std::process::id()));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (certificate, secret) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let (shown, hidden) = (certificate.to_str().unwrap(), secret.to_str().unwrap());
    let options = || {
        certify(&folder);
        format!("--tls-port {port} --tls-cert-file {shown} --tls-key-file {hidden} --tls-auth-clients no")
    };
    let Some(_redis) = Redis::start_with(options) else { return };
    assert_eq!(connect(&format!("rediss://:{PASSWORD}@localhost:{port}"), shown), "connected");
    let error = connect(&format!("rediss://:{PASSWORD}@127.0.0.1:{port}"), shown);
    assert!(error.contains("certificate"), "the certificate is for another name: {error}");
    let error = connect(&format!("rediss://:{PASSWORD}@localhost:{port}"), "/dev/null");
    assert!(error.starts_with("Redis at localhost"), "no certificate is trusted: {error}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// Creates a self-signed certificate for `localhost`.
fn certify(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
                   -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
                   -keyout key.pem -out certificate.pem";
    let made = Command::new("openssl").args(command.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Connects in a process that trusts these certificates, and returns the outcome.
fn connect(url: &str, trusted: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["tls::the_client", "--exact", "--ignored", "--nocapture"])
        .env("REDIS_URL", url)
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let outcome = said.lines().find_map(|line| line.split_once("outcome: "));
    outcome.unwrap_or_else(|| panic!("{said} {}", String::from_utf8_lossy(&output.stderr))).1.to_owned()
}

#[tokio::test]
#[ignore = "not a test: a process of its own, which trusts certificates of its own"]
async fn the_client() {
    let Ok(url) = std::env::var("REDIS_URL") else { return };
    let loaded = RedisStore::new(url).unwrap().load(&key()).await;
    println!("outcome: {}", loaded.map_or_else(|error| error.to_string(), |_| "connected".to_owned()));
}
