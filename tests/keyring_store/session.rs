//! Runs a test of `inside.rs` in a D-Bus session with a keyring, by starting this program again.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::or_skip::or_skip;

/// Unlocks the keyring with a password. The keyring ends with the session.
const SESSION: &str = r#"
printf 'password\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
exec "$@"
"#;

/// Runs this test of `inside.rs` in a session with an empty keyring.
pub(crate) fn run(test: &str) {
    for program in ["dbus-run-session", "gnome-keyring-daemon"] {
        let there = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        let there = there.map_err(|why| format!("{why}; Debian has it in `dbus` and `gnome-keyring`"));
        if or_skip(program, &there).is_none() {
            return;
        }
    }
    let mut session = Command::new("dbus-run-session");
    session.args(["--", "sh", "-c", SESSION, "session"]).arg(std::env::current_exe().unwrap());
    run_test(session, test);
}

/// Runs this test without a keyring.
pub(crate) fn run_without(test: &str) {
    let mut nowhere = Command::new(std::env::current_exe().unwrap());
    nowhere.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
    run_test(nowhere, test);
}

fn run_test(mut command: Command, test: &str) {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("keyring-{}-{test}", std::process::id()));
    // The path of a socket has a maximum length.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let runtime = std::env::temp_dir().join(format!("keyring-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    std::fs::create_dir_all(&runtime).unwrap();
    let output = command
        .args([&format!("inside::{test}"), "--exact", "--ignored", "--nocapture"])
        .env("HOME", &home)
        .env("XDG_RUNTIME_DIR", &runtime)
        .env_remove("XDG_CACHE_HOME")
        .env_remove("XDG_DATA_HOME")
        .output()
        .unwrap();
    for folder in [home, runtime] {
        std::fs::remove_dir_all(folder).unwrap();
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let (all, errors) = (output.status.success(), String::from_utf8_lossy(&output.stderr));
    assert!(all && said.contains("1 passed"), "{said}\n{errors}");
}
