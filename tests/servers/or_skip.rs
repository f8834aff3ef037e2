//! Skips a test whose program is not on this machine.

use std::io::Write as _;

/// Returns the server, or another program that a test needs, or `None` if it cannot be used on this machine. In that case it
/// prints a line that `cargo test` does not capture, or panics with `TOWER_OAUTH2_SERVERS=required`.
pub(crate) fn or_skip<'a, P>(name: &str, program: &'a Result<P, String>) -> Option<&'a P> {
    let why = match program {
        Ok(program) => return Some(program),
        Err(why) => why,
    };
    let required = std::env::var("TOWER_OAUTH2_SERVERS").is_ok_and(|value| value == "required");
    assert!(!required, "{name} cannot be used here: {why}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // `cargo test` would capture `eprintln!`.
    let _ = writeln!(std::io::stderr(), "\nNOT RUN: {test}: {name} cannot be used here: {why}");
    None
}
