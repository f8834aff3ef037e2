//! Implements a prompt for terminals (feature `terminal`).

mod live;
mod messages;
mod plain;

use super::prompt::DevicePrompt;

/// Shows a device login on a terminal: the URL, the code, a QR code, and the time left.
///
/// It is a prompt for [`DeviceCode::new`](crate::grant::DeviceCode::new), and writes to standard error. A line counts down until the
/// login ends, and is then replaced by its outcome. Simultaneous logins have one line each. If standard error is not a terminal, or
/// `TERM` is `dumb`, the time left is written once.
///
/// Errors of standard error are ignored.
///
/// ```
/// use tower_oauth2::client::Client;
/// use tower_oauth2::grant::{DeviceCode, terminal_prompt};
///
/// # fn main() -> Result<(), tower_oauth2::Error> {
/// let (device_url, token_url) = ("https://auth.example.com/device", "https://auth.example.com/token");
/// let grant = DeviceCode::new(device_url, token_url, Client::public("id"), terminal_prompt)?;
/// # let _ = grant;
/// # Ok(())
/// # }
/// ```
///
/// # Security
///
/// The texts of the server contain no control characters: see [`DevicePrompt`]. A QR code is drawn for `https://` and `http://` URLs
/// only.
pub fn terminal_prompt(prompt: &DevicePrompt) {
    if !live::show(prompt) {
        plain::show(prompt);
    }
}
