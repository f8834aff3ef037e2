//! Defines the prompt for the user (RFC 8628 §3.3).

use std::fmt;
use std::time::Duration;

use super::outcome::{DeviceLogin, DeviceOutcome, LoginGuard};
use crate::clock::{self, Deadline};
use crate::error::Error;
use crate::text::printable;

/// The maximum length of a code, in characters. A user could not enter a longer one.
const MAX_CODE: usize = 128;

/// The maximum length of a URL, in characters. Not every browser opens a longer one.
const MAX_ADDRESS: usize = 2048;

/// The instructions for the user of a device login: the URL to open, and the code to enter there ([RFC 8628 §3.3]).
///
/// Always show the code and the URL. [`verification_uri_complete`](Self::verification_uri_complete) is an addition, for a link or a QR
/// code: the user must compare the code on the page with the code in the prompt ([§3.3.1]).
///
/// ```
/// use tower_oauth2::grant::DevicePrompt;
///
/// fn show(prompt: &DevicePrompt) {
///     println!("To log in to My App, open {} and enter {}.", prompt.verification_uri(), prompt.user_code());
///     println!("The code expires in {} minutes.", prompt.expires_in().as_secs() / 60);
/// }
/// # let _: fn(&DevicePrompt) = show;
/// ```
///
/// It can be cloned and kept, to update what is shown: [`time_left`](Self::time_left) counts down, and [`outcome`](Self::outcome) and
/// [`on_end`](Self::on_end) report the end of the login.
///
/// # Security
///
/// The server chooses the texts. They are limited in length, have one line, and contain no control characters, no invisible characters
/// and no characters that change the text direction, so they can be written to a terminal. The URLs may have any scheme: do not open
/// one that is not `https://`.
///
/// [RFC 8628 §3.3]: https://www.rfc-editor.org/rfc/rfc8628#section-3.3
/// [§3.3.1]: https://www.rfc-editor.org/rfc/rfc8628#section-3.3.1
#[derive(Clone)]
pub struct DevicePrompt {
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: Duration,
    end: Deadline,
    login: DeviceLogin,
}

impl DevicePrompt {
    /// Creates the prompt, and the guard that ends its login.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) for a code or a URL that is too long, or has no printable characters. Such
    /// a complete URL is ignored, because it is optional.
    pub(super) fn new(
        user_code: &str,
        uri: &str,
        complete: Option<&str>,
        expires_in: Duration,
    ) -> Result<(Self, LoginGuard), Error> {
        let (login, guard) = DeviceLogin::start();
        let prompt = Self {
            user_code: displayable("user_code", user_code, MAX_CODE)?,
            verification_uri: displayable("verification_uri", uri, MAX_ADDRESS)?,
            verification_uri_complete: complete
                .and_then(|uri| displayable("verification_uri_complete", uri, MAX_ADDRESS).ok()),
            expires_in,
            end: Deadline::from_now(clock::now(), expires_in),
            login,
        };
        Ok((prompt, guard))
    }

    /// Returns the code that the user enters.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// Returns the URL that the user opens.
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// Returns a URL that contains the code, if the server sent one.
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_deref()
    }

    /// Returns the lifetime of the code, counted from the creation of the prompt.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// Returns the time until the code expires, or zero if it has expired.
    pub fn time_left(&self) -> Duration {
        self.end.remaining(clock::now())
    }

    /// Waits for the end of the login, and returns its outcome.
    ///
    /// The future does not need a tokio runtime, and does nothing unless polled. Spawn it, or block on it in a thread:
    ///
    /// ```
    /// use tower_oauth2::grant::{DeviceOutcome, DevicePrompt};
    ///
    /// fn show(prompt: &DevicePrompt) {
    ///     println!("Open {} and enter {}.", prompt.verification_uri(), prompt.user_code());
    ///     let outcome = prompt.outcome();
    ///     tokio::spawn(async move {
    ///         match outcome.await {
    ///             DeviceOutcome::LoggedIn => println!("Logged in."),
    ///             DeviceOutcome::Expired => println!("The code has expired."),
    ///             _ => println!("Not logged in."),
    ///         }
    ///     });
    /// }
    /// # let _: fn(&DevicePrompt) = show;
    /// ```
    ///
    /// # Cancel safety
    ///
    /// It only waits, so it can be dropped at any time.
    pub fn outcome(&self) -> impl Future<Output = DeviceOutcome> + Send + 'static {
        self.login.outcome()
    }

    /// Calls `callback` at the end of the login, before the requests that wait for the token continue. So the prompt can be removed
    /// before the program prints something else.
    ///
    /// The callback is called once, in the task or thread that ends or drops the login, or immediately if the login has already ended. It
    /// must return soon, and must not wait for the token.
    ///
    /// ```
    /// use tower_oauth2::grant::DevicePrompt;
    ///
    /// fn show(prompt: &DevicePrompt) {
    ///     eprintln!("Open {} and enter {}.", prompt.verification_uri(), prompt.user_code());
    ///     prompt.on_end(|outcome| eprintln!("The login has ended: {outcome:?}."));
    /// }
    /// # let _: fn(&DevicePrompt) = show;
    /// ```
    pub fn on_end(&self, callback: impl FnOnce(&DeviceOutcome) + Send + 'static) {
        self.login.on_end(Box::new(callback));
    }
}

impl fmt::Debug for DevicePrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevicePrompt")
            .field("user_code", &self.user_code)
            .field("verification_uri", &self.verification_uri)
            .field("verification_uri_complete", &self.verification_uri_complete)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// Returns the printable form of a text. A text that is too long is an error, because a cut one is of no use.
fn displayable(name: &str, text: &str, max: usize) -> Result<String, Error> {
    let text = printable(text, max + 1);
    match text.chars().count() {
        0 => Err(Error::malformed(format!("`{name}` of the device authorization is missing"))),
        length if length > max => {
            Err(Error::malformed(format!("`{name}` of the device authorization is longer than {max} characters")))
        }
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(code: &str, uri: &str, complete: &str) -> Result<DevicePrompt, Error> {
        DevicePrompt::new(code, uri, Some(complete), Duration::ZERO).map(|(prompt, _)| prompt)
    }

    #[test]
    fn texts_contain_no_control_characters() {
        for (sent, expected) in [
            ("WDJB-MJHT", "WDJB-MJHT"),
            ("AB\u{1b}[2J\u{1b}]0;title\u{7}CD", "AB[2J]0;titleCD"),
            ("https://example.com/\u{202e}moc", "https://example.com/moc"),
            ("1\u{200b}2\u{2066}3\u{feff}", "123"),
            ("Код — 日本", "Код — 日本"),
        ] {
            let prompt = prompt(sent, sent, sent).unwrap();
            assert_eq!(prompt.user_code(), expected);
            assert_eq!(prompt.verification_uri(), expected);
            assert_eq!(prompt.verification_uri_complete(), Some(expected));
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_not_cut() {
        let (uri, code) = ("u".repeat(MAX_ADDRESS), "日".repeat(MAX_CODE));
        assert_eq!(prompt(&code, &uri, &uri).unwrap().user_code(), code);
        for (code, uri, named) in
            [(format!("{code}1"), uri.clone(), "`user_code`"), (code.clone(), format!("{uri}u"), "`verification_uri`")]
        {
            let error = prompt(&code, &uri, "").unwrap_err().to_string();
            assert!(error.contains(named) && error.len() < 200, "{error}");
        }
        assert_eq!(prompt(&code, &uri, &format!("{uri}u")).unwrap().verification_uri_complete(), None);
        assert_eq!(prompt(&code, &uri, "\u{7f}").unwrap().verification_uri_complete(), None);
    }
}
