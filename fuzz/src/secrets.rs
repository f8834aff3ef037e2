//! Secrets that can be recognised, and everything that an error says.

use std::error::Error;
use std::fmt::Write as _;

/// What each of them begins with.
pub const WORD: &str = "hunter2-";
/// The client's.
pub const SECRET: &str = "hunter2-secret";
/// The refresh token that is sent.
pub const REFRESH: &str = "hunter2-refresh";
/// The code of a login, where the server gives it by its placeholder.
pub const CODE: &str = "hunter2-code";

/// What the placeholders in an input stand for.
///
/// An input that held a secret itself would look as if we had told it. So it holds `$SECRET`, which the server fills in: it
/// repeats what it was sent.
pub struct Words<'a>(pub &'a [(&'a str, &'a str)]);

impl Words<'_> {
    /// `input` with the secrets filled in.
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

/// Whether an input holds a secret already: then it proves nothing. Half of the word is enough, for an error leaves out what
/// may stand in the middle.
pub fn gives_away(input: &[u8]) -> bool {
    let (one, other) = WORD.split_at(WORD.len() / 2);
    holds(input, one) || holds(input, other)
}

pub fn holds(text: &[u8], word: &str) -> bool {
    text.windows(word.len()).any(|window| window == word.as_bytes())
}

/// All that can be printed of an error and of its causes.
pub fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let _ = writeln!(text, "{error} {error:?} {error:#?}");
        next = error.source();
    }
    text
}
