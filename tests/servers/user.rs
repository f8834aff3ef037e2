//! A user with a browser, simulated by the server's `user.py`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

#[derive(Clone)]
pub(crate) struct User {
    script: PathBuf,
    options: Vec<String>,
}

impl User {
    /// A user who consents at oidc-provider.
    pub(crate) fn at_oidc_provider() -> Self {
        Self::with_script("user.py")
    }

    /// A user who consents at Glewlwyd.
    pub(crate) fn at_glewlwyd() -> Self {
        Self::with_script("glewlwyd/user.py")
    }

    /// Makes the user log in and deny.
    pub(crate) fn denying(self) -> Self {
        self.with("--deny")
    }

    fn with_script(script: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(script);
        Self { script, options: Vec::new() }
    }

    fn with(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// Opens a URL and completes the login in the background.
    pub(crate) fn open(&self, url: impl AsRef<str>) {
        self.run_script(&[url.as_ref()]);
    }

    /// Opens a URL and enters the user code of a device.
    pub(crate) fn enter_code(&self, url: &str, user_code: &str) {
        self.run_script(&[url, "--user-code", user_code]);
    }

    fn run_script(&self, arguments: &[&str]) {
        let mut command = Command::new("python3");
        command.arg(&self.script).args(arguments).args(&self.options);
        thread::spawn(move || {
            let output = command.output().expect("python3 is installed, because it has set up the server");
            if !output.status.success() {
                let _ = io::stderr().write_all(&output.stderr);
            }
        });
    }
}

#[cfg(feature = "loopback")]
impl User {
    /// Makes the user log in after another browser has finished the same login at oidc-provider.
    pub(crate) fn late(self) -> Self {
        self.with("--spent")
    }

    /// Makes the browser trust the certificates in this file.
    #[cfg(feature = "https")]
    pub(crate) fn trusting(self, ca: &str) -> Self {
        self.with("--cacert").with(ca)
    }

    /// Opens a URL, completes the login, and returns where the server redirects to.
    pub(crate) async fn follow(&self, url: &url::Url) -> url::Url {
        let mut command = Command::new("python3");
        command.arg(&self.script).args([url.as_str(), "--print-only"]);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        url::Url::parse(text.trim()).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }
}
