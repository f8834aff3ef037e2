//! Formats the texts for the terminal.

use std::fmt::Write as _;
use std::time::Duration;

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use crate::grant::device_code::outcome::DeviceOutcome;
use crate::grant::device_code::prompt::DevicePrompt;

/// Returns the URL to open, and the code to enter there.
pub(super) fn instructions(prompt: &DevicePrompt) -> String {
    let mut text = format!(
        "\nTo log in, open\n\n    {}\n\nand enter the code\n\n    {}\n\n",
        prompt.verification_uri(),
        prompt.user_code()
    );
    if let Some(complete) = prompt.verification_uri_complete() {
        let _ = write!(text, "or open this address, and check that it shows the same code\n\n    {complete}\n\n");
    }
    if let Some(drawing) = qr_code(prompt.verification_uri_complete().unwrap_or(prompt.verification_uri())) {
        let _ = write!(text, "{drawing}\n\n");
    }
    text
}

/// Returns the time left, for output that cannot be updated.
pub(super) fn time_left(prompt: &DevicePrompt) -> String {
    format!("Time left: {}", rounded_time(prompt.expires_in().as_secs()))
}

/// Returns the time left in minutes and seconds, for a line that is updated.
pub(super) fn countdown(left: Duration) -> String {
    let (minutes, seconds) = (left.as_secs() / 60, left.as_secs() % 60);
    if minutes < 60 {
        format!("{minutes}:{seconds:02}")
    } else {
        format!("{}:{:02}:{seconds:02}", minutes / 60, minutes % 60)
    }
}

/// Returns the outcome, with the code, because several logins may run at once.
pub(super) fn ending(user_code: &str, outcome: &DeviceOutcome) -> String {
    match outcome {
        DeviceOutcome::LoggedIn => format!("Logged in with the code {user_code}."),
        DeviceOutcome::Denied => format!("The login with the code {user_code} was denied."),
        DeviceOutcome::Expired => format!("The code {user_code} has expired, and the login was not completed."),
        DeviceOutcome::Failed(error) => format!("The login with the code {user_code} failed: {error}"),
        DeviceOutcome::Abandoned => format!("The login with the code {user_code} was cancelled."),
    }
}

/// Draws the QR code light on dark, as most terminals are. Phones read inverted codes too.
fn qr_code(uri: &str) -> Option<String> {
    let scheme = uri.split_once("://")?.0;
    if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    // A URL that is too long for a QR code is shown as text only.
    let code = QrCode::with_error_correction_level(uri, EcLevel::L).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

/// Rounds down to minutes or seconds.
fn rounded_time(seconds: u64) -> String {
    let (number, unit) = if seconds < 60 { (seconds, "second") } else { (seconds / 60, "minute") };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    fn prompt(uri: &str, complete: Option<&str>) -> DevicePrompt {
        DevicePrompt::new("WDJB-MJHT", uri, complete, Duration::from_secs(900)).unwrap().0
    }

    #[test]
    fn the_instructions_have_the_code_both_urls_and_a_qr_code() {
        let complete = "https://example.com/device?user_code=WDJB-MJHT";
        let text = instructions(&prompt("https://example.com/device", Some(complete)));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for line in ["https://example.com/device", "WDJB-MJHT", complete] {
            assert!(lines.contains(&line), "{line}: {text}");
        }
        assert!(text.contains(&qr_code(complete).unwrap()), "{text}");
    }

    #[test]
    fn the_complete_url_is_optional() {
        let text = instructions(&prompt("https://example.com/device", None));
        assert!(text.contains("WDJB-MJHT") && !text.contains("same code"), "{text}");
        assert!(text.contains(&qr_code("https://example.com/device").unwrap()), "{text}");
    }

    /// Each character contains two modules. Light ones are drawn. The quiet zone is four modules wide.
    #[test]
    fn the_drawing_matches_the_qr_code() {
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
    fn other_schemes_have_no_qr_code() {
        for uri in ["javascript:alert(1)", "tel:+1900", "file:///etc/passwd", "ssh://example.com", "no address", ""] {
            assert_eq!(qr_code(uri), None, "{uri}");
        }
        assert_eq!(qr_code(&format!("https://example.com/{}", "x".repeat(4_000))), None);
        assert!(qr_code("HTTPS://EXAMPLE.COM/D").is_some());
    }

    #[test]
    fn times_are_rounded_down() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (119, "1 minute"),
            (1800, "30 minutes"),
        ] {
            assert_eq!(rounded_time(seconds), words);
        }
    }

    #[test]
    fn the_countdown_has_minutes_and_seconds() {
        for (seconds, digits) in
            [(0, "0:00"), (59, "0:59"), (61, "1:01"), (3599, "59:59"), (3600, "1:00:00"), (86_399, "23:59:59")]
        {
            assert_eq!(countdown(Duration::from_secs(seconds)), digits);
        }
    }

    #[test]
    fn each_outcome_has_a_line_with_the_code() {
        let failed = DeviceOutcome::Failed(Error::new(ErrorKind::InvalidGrant, ""));
        for outcome in
            [DeviceOutcome::LoggedIn, DeviceOutcome::Denied, DeviceOutcome::Expired, failed, DeviceOutcome::Abandoned]
        {
            let line = ending("WDJB-MJHT", &outcome);
            assert!(line.contains("WDJB-MJHT") && line.lines().count() == 1, "{line}");
        }
    }
}
