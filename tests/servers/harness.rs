//! Starts an authorization server with its `start` script, and stops it when the tests have ended.

use std::collections::BTreeMap;
use std::path::Path;

use crate::process::{ProcessGuard, spawn};

/// A server that runs as long as this process does.
pub(crate) struct Server {
    /// The `NAME=value` lines that the script printed.
    values: BTreeMap<String, String>,
    _guard: ProcessGuard,
}

/// Starts the server, waits for the end of this process, and stops the server. The script starts the server itself, so that
/// it also stops one if this process ends during the start.
const SCRIPT: &str = r#"
timeout 300 "$1/start" </dev/null 2>&1 && cat >/dev/null
"$1/stop"
rm -rf "$RUN_DIR"
"#;

impl Server {
    /// Starts the server of that folder. The error is the output of the script.
    pub(crate) fn start(name: &str) -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(name);
        let run_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let run_dir = run_dir.to_string_lossy();
        let environment = [("PORT", "0"), ("HTTPS_PORT", "0"), ("RUN_DIR", &*run_dir)];
        let (guard, lines) = spawn(SCRIPT, &folder, &environment)?;
        let mut output = Vec::new();
        for line in lines {
            let line = line.map_err(|error| error.to_string())?;
            if line == "READY" {
                let values = output.iter().filter_map(|line: &String| line.split_once('='));
                let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                return Ok(Self { values, _guard: guard });
            }
            output.push(line);
        }
        let last = output.len().saturating_sub(5);
        Err(if output.is_empty() {
            "`start` printed nothing, or took too long".to_owned()
        } else {
            output[last..].join(" / ")
        })
    }

    /// The value of one of the lines of the script.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.values.get(name).unwrap_or_else(|| panic!("the server has no {name}"))
    }
}
