//! A user with a browser, simulated by the server's `user.py`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

#[derive(Clone)]
pub(crate) struct User {
    script: PathBuf,
    deny: bool,
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
    pub(crate) fn denying(mut self) -> Self {
        self.deny = true;
        self
    }

    fn with_script(script: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(script);
        Self { script, deny: false }
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
        command.arg(&self.script).args(arguments).args(self.deny.then_some("--deny"));
        thread::spawn(move || {
            let output = command.output().expect("python3 is installed, because it has set up the server");
            if !output.status.success() {
                let _ = io::stderr().write_all(&output.stderr);
            }
        });
    }
}
