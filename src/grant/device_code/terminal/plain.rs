//! Writes plain lines.

use std::io::Write as _;

use super::messages;
use crate::grant::device_code::prompt::DevicePrompt;

/// Shows the prompt, and later the outcome of the login.
pub(super) fn show(prompt: &DevicePrompt) {
    write(&format!("{}{}", messages::instructions(prompt), messages::time_left(prompt)));
    let user_code = prompt.user_code().to_owned();
    prompt.on_end(move |outcome| write(&messages::ending(&user_code, outcome)));
}

/// Writes the lines with one call, so that those of several logins do not mix.
pub(super) fn write(lines: &str) {
    // Standard error may be closed, which must not panic.
    let _ = std::io::stderr().lock().write_all(format!("{lines}\n").as_bytes());
}
