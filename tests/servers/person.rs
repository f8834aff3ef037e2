//! The person at the browser, played by the server's own `user.py`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

#[derive(Clone)]
pub(crate) struct Person {
    script: PathBuf,
    denies: bool,
}

impl Person {
    /// Who says yes to everything at oidc-provider.
    pub(crate) fn at_oidc_provider() -> Self {
        Self::who_runs("user.py")
    }

    /// Who says yes to everything at Glewlwyd.
    pub(crate) fn at_glewlwyd() -> Self {
        Self::who_runs("glewlwyd/user.py")
    }

    /// Who logs in and then says no.
    pub(crate) fn denies(mut self) -> Self {
        self.denies = true;
        self
    }

    fn who_runs(script: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(script);
        Self { script, denies: false }
    }

    /// Goes there and does what the pages ask for, while we wait for the outcome.
    pub(crate) fn opens(&self, url: impl AsRef<str>) {
        self.acts(&[url.as_ref()]);
    }

    /// Goes there and types the code that another device shows.
    pub(crate) fn types(&self, url: &str, user_code: &str) {
        self.acts(&[url, "--user-code", user_code]);
    }

    fn acts(&self, arguments: &[&str]) {
        let mut command = Command::new("python3");
        command.arg(&self.script).args(arguments).args(self.denies.then_some("--deny"));
        thread::spawn(move || {
            let output = command.output().expect("python3 is there, for it has set up the server");
            if !output.status.success() {
                let _ = io::stderr().write_all(&output.stderr);
            }
        });
    }
}
