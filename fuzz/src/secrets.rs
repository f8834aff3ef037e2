//! Secrets that can be recognized, and the texts of errors.

use std::error::Error;
use std::fmt::Write as _;

/// The prefix of each secret.
pub const SECRET_PREFIX: &str = "hunter2-";
/// The client secret.
pub const SECRET: &str = "hunter2-secret";
/// The refresh token of a request.
pub const REFRESH: &str = "hunter2-refresh";
/// The code of a login, for the placeholder `$CODE`.
pub const CODE: &str = "hunter2-code";

/// The values of the placeholders in an input.
///
/// If an input contained a secret itself, the crate would seem to have leaked it. So inputs contain placeholders such as `$SECRET`, which
/// the server replaces with the secrets that it received.
pub struct Placeholders<'a>(pub &'a [(&'a str, &'a str)]);

impl Placeholders<'_> {
    /// Replaces the placeholders in `input`.
    pub fn fill(&self, input: &[u8]) -> Vec<u8> {
        let mut filled = Vec::with_capacity(input.len());
        let mut rest = input;
        while let Some((&first, after)) = rest.split_first() {
            match self.0.iter().find(|(placeholder, _)| rest.starts_with(placeholder.as_bytes())) {
                Some((placeholder, secret)) => {
                    filled.extend_from_slice(secret.as_bytes());
                    rest = &rest[placeholder.len()..];
                }
                None => {
                    filled.push(first);
                    rest = after;
                }
            }
        }
        filled
    }
}

/// Returns whether an input contains a secret, and therefore proves nothing. Half of the prefix is enough.
///
/// The secret may be escaped, as in JSON and in forms, and may have characters in the middle that an error omits.
pub fn contains_secret(input: &[u8]) -> bool {
    let mut text = Vec::with_capacity(input.len());
    let mut rest = input;
    while let [first, after @ ..] = rest {
        let (byte, after) = match rest {
            [b'%', after @ ..] | [b'\\', b'u', b'0', b'0', after @ ..] => {
                escaped(after).unwrap_or((*first, &rest[1..]))
            }
            _ => (*first, after),
        };
        // Errors omit only characters that are not visible ASCII.
        if byte.is_ascii_graphic() {
            text.push(byte);
        }
        rest = after;
    }
    let (one, other) = SECRET_PREFIX.split_at(SECRET_PREFIX.len() / 2);
    contains(&text, one) || contains(&text, other)
}

/// Parses the two hexadecimal digits of an escape sequence.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = text.split_at_checked(2)?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some((u8::from_str_radix(digits, 16).ok()?, after))
}

pub fn contains(text: &[u8], word: &str) -> bool {
    text.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Returns everything that an error and its sources print.
pub fn error_text(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let _ = writeln!(text, "{error} {error:?} {error:#?}");
        next = error.source();
    }
    text
}
