//! A program that runs as long as this process does.
//!
//! A server lives in a static, which nobody drops, and tests may end by a signal; but however a process ends, the system
//! closes its pipes. So a shell script starts the program, waits for the end of its standard input, and cleans up.

use std::io::{BufRead, BufReader, Result};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

/// Never written to: its end is how the script learns of ours.
pub(crate) struct Leash {
    _stdin: ChildStdin,
}

/// Runs `script`, with `argument` as its `$1`: the leash, and the lines that it writes.
pub(crate) fn keep(
    script: &str,
    argument: &Path,
    environment: &[(&str, &str)],
) -> std::result::Result<(Leash, impl Iterator<Item = Result<String>> + use<>), String> {
    let mut keeper = Command::new("sh")
        .args(["-c", script, "keeper"])
        .arg(argument)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // A Ctrl-C at the terminal is for us; the keeper still has work to do.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("sh: {error}"))?;
    let leash = Leash { _stdin: keeper.stdin.take().expect("is piped") };
    Ok((leash, BufReader::new(keeper.stdout.take().expect("is piped")).lines()))
}
