//! Runs each test in a child process that trusts the certificate of the test servers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const IN_CHILD: &str = "TOWER_OAUTH2_TEST_CHILD";

/// Variables of the machine that the tests must not inherit.
const NOT_INHERITED: [&str; 10] = [
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// Runs the body of the test with this name in a process that trusts the test servers.
pub(crate) fn in_child(test: &str, body: impl AsyncFnOnce()) {
    in_child_with(test, &[("SSL_CERT_FILE", certificate().to_str().unwrap())], body);
}

/// Runs the body of the test with this name in a process with these variables.
pub(crate) fn in_child_with(test: &str, variables: &[(&str, &str)], body: impl AsyncFnOnce()) {
    if std::env::var_os(IN_CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Longer than any test takes, so only a connection that hangs exceeds it.
        let body = async { tokio::time::timeout(Duration::from_secs(20), body()).await.expect("hangs") };
        return runtime.block_on(body);
    }
    let mut process = Command::new(std::env::current_exe().unwrap());
    for name in NOT_INHERITED {
        process.env_remove(name);
    }
    process.args([test, "--exact", "--nocapture"]).env(IN_CHILD, certificate()).envs(variables.iter().copied());
    let output = process.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}{stderr}");
}

/// Returns the path of a certificate for the names in the tests, which is created once. The key is in the same folder.
pub(crate) fn certificate() -> &'static Path {
    static CERTIFICATE: OnceLock<PathBuf> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        if let Some(path) = std::env::var_os(IN_CHILD) {
            return path.into();
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("https-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
                       -addext subjectAltName=DNS:localhost,DNS:api.example.com,DNS:auth.example.com \
                       -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out certificate.pem";
        let output = Command::new("openssl").args(command.split_whitespace()).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder.join("certificate.pem")
    })
}
