//! The output of `terminal_prompt` to a terminal, to a pipe, and to a closed file. Each login runs in its own process, whose standard
//! error is captured.
#![cfg(feature = "terminal")]

mod child;

use std::process::{Command, Stdio};

use self::child::{CODES, OUTCOMES, child};

/// Returns what the login wrote to standard error.
fn piped(outcomes: &str) -> String {
    let output = child(outcomes).stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn without_a_terminal_the_lines_are_plain() {
    for (outcome, last) in [
        ("token", "Logged in with the code AAAA-1111."),
        ("access_denied", "The login with the code AAAA-1111 was denied."),
        ("expired_token", "The code AAAA-1111 has expired, and the login was not completed."),
    ] {
        let text = piped(outcome);
        assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for line in ["https://example.com/device", "AAAA-1111", "Time left: 15 minutes", last] {
            assert_eq!(lines.iter().filter(|other| **other == line).count(), 1, "{line}: {text}");
        }
        assert_eq!(lines.last(), Some(&last));
    }
}

#[test]
fn the_lines_of_two_logins_do_not_mix() {
    let text = piped("token token");
    for code in CODES {
        let (_, after) = text.split_once(&format!("and enter the code\n\n    {code}\n")).unwrap();
        assert!(after.lines().all(|line| !line.contains("Logged in") || line.ends_with('.')), "{text}");
        assert!(after.contains(&format!("\nLogged in with the code {code}.\n")), "{text}");
    }
}

#[test]
fn standard_error_may_be_closed() {
    // Closed before the program starts, and then while it runs.
    let exe = std::env::current_exe().unwrap();
    let mut closed = Command::new("sh");
    closed.args(["-c", "exec \"$0\" \"$@\" 2>&-"]).arg(exe).args(child::ARGUMENTS).env(OUTCOMES, "token");
    assert!(closed.stdout(Stdio::null()).status().unwrap().success());
    let mut broken = child("token").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(broken.stderr.take());
    assert!(broken.wait().unwrap().success());
}

#[cfg(target_os = "linux")]
mod on_a_terminal {
    use super::*;

    /// Returns what was written to the terminal.
    fn sent(outcomes: &str) -> String {
        let command = format!("'{}' {}", std::env::current_exe().unwrap().display(), child::ARGUMENTS.join(" "));
        let mut script = Command::new("script");
        script.args(["-qec", &command, "/dev/null"]).env(OUTCOMES, outcomes).env("TERM", "xterm").stdin(Stdio::null());
        let output = script.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_line_counts_down_until_the_login_ends() {
        let text = sent("token");
        assert!(
            text.contains("https://example.com/device") && text.contains("Time left for AAAA-1111: 14:5"),
            "{text:?}"
        );
        let (_, after) = text.split_once("Logged in with the code AAAA-1111.").unwrap();
        assert!(!after.contains("Time left"), "{after:?}");
        // The line was removed.
        assert!(text.contains("\u{1b}[2K"), "{text:?}");
    }

    #[test]
    fn two_logins_have_one_line_each() {
        let text = sent("token access_denied");
        for line in ["Time left for AAAA-1111: 14:5", "Time left for BBBB-2222: 14:5"] {
            assert!(text.contains(line), "{text:?}");
        }
        let ends = ["Logged in with the code AAAA-1111.", "The login with the code BBBB-2222 was denied."];
        assert!(ends.iter().all(|end| text.contains(end)), "{text:?}");
    }
}
