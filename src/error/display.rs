//! Formats errors: `Display` prints one sentence, and `Debug` adds the causes and a hint for programmers.

use std::error::Error as StdError;
use std::fmt;

use super::opaque::Error;
use crate::text::printable;

/// The maximum number of causes that are printed or searched.
pub(super) const MAX_CAUSES: usize = 16;

/// The maximum length of the text of a cause, in characters.
const MAX_CAUSE: usize = 1024;

/// Prints one error without its causes: the sentence, the context, the endpoint, the status and the text of the server.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())?;
        if !self.context().is_empty() {
            write!(f, ": {}", self.context())?;
        }
        let status = self.status().map(|status| format!("status {}", status.as_u16()));
        let oauth = self.oauth().map(ToString::to_string);
        let details: Vec<&str> = [self.endpoint(), status.as_deref(), oauth.as_deref()].into_iter().flatten().collect();
        if details.is_empty() { Ok(()) } else { write!(f, " ({})", details.join(", ")) }
    }
}

/// Prints the `Display` text, the causes, the kind and the hint. A `main` that returns the error prints this. It is one line, for
/// logs; `{:#?}` prints one line for each part.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, hint) = (self.kind(), self.hint());
        let is_long = f.alternate();
        write!(f, "{self}")?;
        for cause in causes(self) {
            if is_long { write!(f, "\n    caused by: {cause}")? } else { write!(f, ": {cause}")? }
        }
        if is_long { write!(f, "\n    {kind:?}: {hint}") } else { write!(f, " [{kind:?}: {hint}]") }
    }
}

/// Returns the texts of the causes, without those that repeat the text above them.
fn causes(error: &Error) -> Vec<String> {
    let mut above = error.to_string();
    let mut texts = Vec::new();
    for cause in std::iter::successors(error.source(), |&cause| cause.source()).take(MAX_CAUSES) {
        let text = printable(&cause.to_string(), MAX_CAUSE);
        if text.is_empty() || above.contains(&text) || is_own_status(cause, &above) {
            continue;
        }
        above.clone_from(&text);
        texts.push(text);
    }
    texts
}

/// Returns whether the cause is the status for a tonic client. It repeats the text of the error above it.
#[cfg(feature = "tonic")]
fn is_own_status(cause: &(dyn StdError + 'static), above: &str) -> bool {
    cause.downcast_ref::<tonic::Status>().is_some_and(|status| status.message() == above)
}

#[cfg(not(feature = "tonic"))]
fn is_own_status(_: &(dyn StdError + 'static), _: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn the_alternate_form_prints_one_line_for_each_part() {
        let error = Error::caused_by(ErrorKind::Transport, Error::caused_by(ErrorKind::Store, "tcp: reset"));
        let long = format!("{error:#?}");
        let lines: Vec<&str> = long.lines().map(str::trim).collect();
        let [sentence, store, cause, hint] = lines.as_slice() else { panic!("{long}") };
        assert_eq!(*sentence, "the authorization server could not be reached");
        assert_eq!(*store, "caused by: the token store could not be used");
        assert_eq!(*cause, "caused by: tcp: reset");
        assert!(hint.starts_with("Transport: "), "{long}");
    }

    /// An error whose source is the error itself.
    #[derive(Debug)]
    struct Endless;

    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&"x".repeat(5_000))
        }
    }

    impl StdError for Endless {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(self)
        }
    }

    #[test]
    fn an_endless_chain_of_sources_is_truncated() {
        let text = format!("{:?}", Error::caused_by(ErrorKind::Transport, Endless));
        assert!(text.len() < 20_000, "{}", text.len());
    }

    #[cfg(feature = "tonic")]
    #[test]
    fn the_status_for_a_tonic_client_is_not_printed_twice() {
        let text = format!("{:?}", Error::caused_by(ErrorKind::Transport, "tcp: reset").for_grpc());
        for once in ["could not be reached", "tcp: reset"] {
            assert_eq!(text.matches(once).count(), 1, "{text}");
        }
    }
}
