//! A prompt for people at a terminal (feature `terminal`).

use std::fmt::Write as _;
use std::io::Write as _;

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use super::prompt::DevicePrompt;

/// Tells a person at a terminal how to log in: the address, the code, a QR code for the phone, and the time left.
///
/// It is a prompt for [`DeviceCode::new`](crate::grant::DeviceCode::new), and writes to standard error.
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
/// Nothing that the server says acts on the terminal, see [`DevicePrompt`]. A QR code is drawn for `https://` and `http://`
/// addresses only.
pub fn terminal_prompt(prompt: &DevicePrompt) {
    // Where nobody can read it, the login runs out of time: no reason to panic.
    let _ = std::io::stderr().lock().write_all(text(prompt).as_bytes());
}

fn text(prompt: &DevicePrompt) -> String {
    let mut text = format!(
        "\nTo log in, open\n\n    {}\n\nand enter the code\n\n    {}\n\n",
        prompt.verification_uri(),
        prompt.user_code()
    );
    if let Some(complete) = prompt.verification_uri_complete() {
        let _ = write!(text, "or open this address, and see that it shows the same code\n\n    {complete}\n\n");
    }
    if let Some(drawing) = qr_code(prompt.verification_uri_complete().unwrap_or(prompt.verification_uri())) {
        let _ = write!(text, "{drawing}\n\n");
    }
    let _ = writeln!(text, "Time left: {}", time(prompt.expires_in().as_secs()));
    text
}

/// Drawn light on dark, as most terminals are; phones read it the other way round too.
fn qr_code(uri: &str) -> Option<String> {
    let scheme = uri.split_once("://")?.0;
    if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    // An address that is too long for a QR code is there as text.
    let code = QrCode::with_error_correction_level(uri, EcLevel::L).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

/// Rounded down: nobody is promised more than there is.
fn time(seconds: u64) -> String {
    let (number, unit) = if seconds < 60 { (seconds, "second") } else { (seconds / 60, "minute") };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn prompt(uri: &str, complete: Option<&str>) -> DevicePrompt {
        DevicePrompt::new("WDJB-MJHT".into(), uri.into(), complete.map(Into::into), Duration::from_secs(900))
    }

    #[test]
    fn it_has_the_code_both_addresses_a_qr_code_and_the_time() {
        let complete = "https://example.com/device?user_code=WDJB-MJHT";
        let text = text(&prompt("https://example.com/device", Some(complete)));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for line in ["https://example.com/device", "WDJB-MJHT", complete, "Time left: 15 minutes"] {
            assert!(lines.contains(&line), "{line}: {text}");
        }
        assert!(text.contains(&qr_code(complete).unwrap()), "{text}");
    }

    #[test]
    fn the_code_is_told_with_one_address_too() {
        let text = text(&prompt("https://example.com/device", None));
        assert!(text.contains("WDJB-MJHT") && !text.contains("same code"), "{text}");
        assert!(text.contains(&qr_code("https://example.com/device").unwrap()), "{text}");
    }

    /// Each character is two modules: light ones are drawn, dark ones are not. The rim is four light modules wide.
    #[test]
    fn the_drawing_is_the_code() {
        let uri = "https://example.com/device";
        let code = QrCode::with_error_correction_level(uri, EcLevel::L).unwrap();
        let drawing = qr_code(uri).unwrap();
        let lines: Vec<Vec<char>> = drawing.lines().map(|line| line.chars().collect()).collect();
        for y in 0..code.width() {
            for x in 0..code.width() {
                let drawn = match (lines[(y + 4) / 2][x + 4], (y + 4) % 2) {
                    ('█', _) | ('▀', 0) | ('▄', 1) => qrcode::Color::Light,
                    _ => qrcode::Color::Dark,
                };
                assert_eq!(drawn, code[(x, y)], "{x}, {y}\n{drawing}");
            }
        }
        assert!(lines[0].iter().all(|c| *c == '█'), "{drawing}");
    }

    #[test]
    fn no_qr_code_for_what_no_phone_should_open() {
        for uri in ["javascript:alert(1)", "tel:+1900", "file:///etc/passwd", "ssh://example.com", "no address", ""] {
            assert_eq!(qr_code(uri), None, "{uri}");
        }
        assert_eq!(qr_code(&format!("https://example.com/{}", "x".repeat(4_000))), None);
        assert!(qr_code("HTTPS://EXAMPLE.COM/D").is_some());
    }

    #[test]
    fn the_time_left_in_words() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (119, "1 minute"),
            (1800, "30 minutes"),
        ] {
            assert_eq!(time(seconds), words);
        }
    }
}
