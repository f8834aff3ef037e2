//! Starts an authorization server by its `start` script, and stops it when the tests are over.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use crate::keeper::{Leash, keep};

/// A server that runs as long as this process does.
pub(crate) struct Server {
    /// The `NAME=value` lines that it came with.
    values: BTreeMap<String, String>,
    _leash: Leash,
}

/// Starts the server, waits for the end of this process and stops the server. It starts the server itself, so that none is
/// left if we end during the start.
const KEEPER: &str = r#"
timeout 300 "$1/start" </dev/null 2>&1 && cat >/dev/null
"$1/stop"
rm -rf "$RUN_DIR"
"#;

impl Server {
    /// Starts the server of that folder; fails with what the script said.
    pub(crate) fn start(name: &str) -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(name);
        let run_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let run_dir = run_dir.to_string_lossy();
        let environment = [("PORT", "0"), ("HTTPS_PORT", "0"), ("RUN_DIR", &*run_dir)];
        let (leash, lines) = keep(KEEPER, &folder, &environment)?;
        let mut said = Vec::new();
        for line in lines {
            let line = line.map_err(|error| error.to_string())?;
            if line == "READY" {
                let values = said.iter().filter_map(|line: &String| line.split_once('='));
                let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                return Ok(Self { values, _leash: leash });
            }
            said.push(line);
        }
        let last = said.len().saturating_sub(5);
        Err(if said.is_empty() { "start was silent, or took too long".to_owned() } else { said[last..].join(" / ") })
    }

    /// The value of one of the lines that the script ended with.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.values.get(name).unwrap_or_else(|| panic!("the server has no {name}"))
    }
}

/// The server, or another program that a test needs, or `None` on a machine where it does not start. That is told where
/// `cargo test` shows it, even of a test that passes, and is a failure with `TOWER_OAUTH2_SERVERS=required`.
pub(crate) fn or_skip<'a, P>(name: &str, program: &'a Result<P, String>) -> Option<&'a P> {
    let why = match program {
        Ok(program) => return Some(program),
        Err(why) => why,
    };
    let required = std::env::var("TOWER_OAUTH2_SERVERS").is_ok_and(|value| value == "required");
    assert!(!required, "{name} does not start here: {why}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // `eprintln!` would be captured, and seen by nobody.
    let _ = writeln!(std::io::stderr(), "\nNOT RUN: {test}: {name} does not start here: {why}");
    None
}
