//! What the person is to be told (RFC 8628 §3.3).

use std::time::Duration;

/// What to tell the person who is to log in: where to go, and what to enter there ([RFC 8628 §3.3]).
///
/// Show the code and the address always; [`verification_uri_complete`](Self::verification_uri_complete) is an addition, for a
/// link or a QR code. The person compares the code that they see there ([§3.3.1]).
///
/// ```
/// use tower_oauth2::grant::DevicePrompt;
///
/// fn tell(prompt: &DevicePrompt) {
///     println!("Open {} and enter {}.", prompt.verification_uri(), prompt.user_code());
///     println!("The code is good for {} minutes.", prompt.expires_in().as_secs() / 60);
/// }
/// # let _: fn(&DevicePrompt) = tell;
/// ```
///
/// # Security
///
/// The texts are the server's, without control characters and without characters that change the direction of writing: they
/// can go to a terminal as they are. The addresses may still be anything: open none that is not `https://`.
///
/// [RFC 8628 §3.3]: https://www.rfc-editor.org/rfc/rfc8628#section-3.3
/// [§3.3.1]: https://www.rfc-editor.org/rfc/rfc8628#section-3.3.1
#[derive(Clone, Debug)]
pub struct DevicePrompt {
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: Duration,
}

impl DevicePrompt {
    pub(super) fn new(user_code: String, uri: String, complete: Option<String>, expires_in: Duration) -> Self {
        Self {
            user_code: printable(&user_code),
            verification_uri: printable(&uri),
            verification_uri_complete: complete.map(|uri| printable(&uri)),
            expires_in,
        }
    }

    /// The code that the person enters.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// The address that the person opens.
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// An address that holds the code already, where the server gives one.
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_deref()
    }

    /// How long the code is good, from when the prompt is given.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }
}

/// Without what acts on a terminal rather than being seen there: control characters, and those that turn the direction of
/// writing or take no room.
fn printable(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().filter(|c| !acts(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_it_acts_on_a_terminal() {
        for (sent, shown) in [
            ("WDJB-MJHT", "WDJB-MJHT"),
            ("AB\u{1b}[2J\u{1b}]0;title\u{7}CD", "AB[2J]0;titleCD"),
            ("A\u{9b}31mB\r\nC\u{0}\u{7f}", "A31mBC"),
            ("https://example.com/\u{202e}moc", "https://example.com/moc"),
            ("1\u{200b}2\u{2066}3\u{feff}", "123"),
            ("Код — 日本", "Код — 日本"),
        ] {
            let prompt = DevicePrompt::new(sent.into(), sent.into(), Some(sent.into()), Duration::ZERO);
            assert_eq!(prompt.user_code(), shown);
            assert_eq!(prompt.verification_uri(), shown);
            assert_eq!(prompt.verification_uri_complete(), Some(shown));
        }
    }
}
