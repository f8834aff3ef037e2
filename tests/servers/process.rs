//! Runs a program for as long as this process exists.
//!
//! Destructors do not suffice: a server is in a static, which is never dropped, and a signal may end the tests. But the system closes the
//! pipes of a process in any case. So a shell script starts the program, waits for the end of its standard input, and cleans up.

use std::io::{BufRead, BufReader, Result};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

/// The script's standard input, which is never written to. The script ends when it is closed.
pub(crate) struct ProcessGuard {
    _stdin: ChildStdin,
}

/// Runs `script` with `argument` as its `$1`. Returns the guard and the lines of its output.
pub(crate) fn spawn(
    script: &str,
    argument: &Path,
    environment: &[(&str, &str)],
) -> std::result::Result<(ProcessGuard, impl Iterator<Item = Result<String>> + use<>), String> {
    let mut shell = Command::new("sh")
        .args(["-c", script, "spawn"])
        .arg(argument)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // A Ctrl-C at the terminal must not end the script before it has cleaned up.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("sh: {error}"))?;
    let guard = ProcessGuard { _stdin: shell.stdin.take().expect("is piped") };
    Ok((guard, BufReader::new(shell.stdout.take().expect("is piped")).lines()))
}
