//! The HTTPS client of the crate, with certificates that the system trusts and with others.
//!
//! `SSL_CERT_FILE` sets the trusted certificates, and a process has one environment: each case is a process.

use std::process::Command;

use bytes::Bytes;
use http_body_util::Full;
use tower::{BoxError, Layer};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, client::Client, grant::ClientCredentials, https};

use crate::oidc_provider::server;
use crate::plain::{get, send};

pub(crate) const ISSUER: &str = "TOWER_OAUTH2_TEST_ISSUER";

/// Runs a test again in a process that trusts `ca` and uses `issuer`.
pub(crate) fn run_in_subprocess(test: &str, ca: &str, issuer: &str) {
    let this = std::env::current_exe().unwrap();
    let output =
        Command::new(this).args([test, "--exact"]).env("SSL_CERT_FILE", ca).env(ISSUER, issuer).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// The HTTP version of a request with a token at the API.
async fn http_version(issuer: &str) -> Result<String, BoxError> {
    let client = Client::basic("cc-basic", "cc-basic-secret");
    let grant = ClientCredentials::new(format!("{issuer}/token"), client)?.scope("api:read")?;
    let api = OAuth2Layer::new(grant).layer(https::client::<Full<Bytes>>()?);
    let (status, echo) = send(api, get(&format!("{issuer}/api/echo"))).await?;
    assert_eq!(status, 200, "{echo}");
    Ok(echo["http_version"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn trusts_what_the_system_trusts() {
    if let Ok(issuer) = std::env::var(ISSUER) {
        assert_eq!(http_version(&issuer).await.unwrap(), if issuer.starts_with("https") { "2.0" } else { "1.1" });
        return;
    }
    let Some(server) = server().await else { return };
    for issuer in ["HTTPS_ISSUER", "ISSUER"] {
        run_in_subprocess("https::trusts_what_the_system_trusts", server.get("HTTPS_CA"), server.get(issuer));
    }
}

#[tokio::test]
async fn does_not_trust_others() {
    if let Ok(issuer) = std::env::var(ISSUER) {
        let error = http_version(&issuer).await.unwrap_err().downcast::<Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::Transport);
        let mut causes = String::new();
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
        while let Some(error) = next {
            causes.push_str(&error.to_string());
            next = error.source();
        }
        assert!(causes.contains("UnknownIssuer"), "{causes}");
        return;
    }
    let Some(server) = server().await else { return };
    run_in_subprocess("https::does_not_trust_others", server.get("OTHER_CA"), server.get("HTTPS_ISSUER"));
}
