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

/// Returns whether an input contains a secret, and therefore proves nothing. Half of the prefix is enough, because an error omits
/// characters that may be in the middle.
pub fn contains_secret(input: &[u8]) -> bool {
    let (one, other) = SECRET_PREFIX.split_at(SECRET_PREFIX.len() / 2);
    contains(input, one) || contains(input, other)
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
