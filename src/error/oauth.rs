//! The error answer of an authorization server (RFC 6749 §5.2), made safe to keep and to print.

use std::fmt;

/// Longer texts of a server are cut: they end in logs.
const LONGEST: usize = 512;

/// The codes of RFC 6749 §4.1.2.1 and §5.2, RFC 7009, RFC 8628, RFC 8707 and RFC 9449. Everybody knows them, so they repeat no
/// secret, even where a secret is as short as a part of one: what happens next depends on them.
const KNOWN: [&str; 18] = [
    "access_denied",
    "authorization_declined",
    "authorization_pending",
    "expired_token",
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type",
    "use_dpop_nonce",
];

/// What an authorization server said went wrong: [RFC 6749 §5.2].
///
/// The texts are the server's, cut to 512 characters, without control characters. A text that repeats a secret of the
/// request is dropped.
///
/// ```
/// use tower_oauth2::Error;
///
/// fn is_scope_wrong(error: &Error) -> bool {
///     error.oauth().is_some_and(|oauth| oauth.error() == "invalid_scope")
/// }
/// # assert!(!is_scope_wrong(&tower_oauth2::Token::bearer("").unwrap_err()));
/// ```
///
/// [RFC 6749 §5.2]: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    error: String,
    description: Option<String>,
    uri: Option<String>,
}

impl OAuthError {
    /// The code, such as `invalid_scope`.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The code, if it is one that everybody knows, and so repeats nothing.
    #[cfg(feature = "tracing")]
    pub(crate) fn known(&self) -> Option<&'static str> {
        KNOWN.into_iter().find(|known| *known == self.error)
    }

    /// The explanation for the developer, where there was one.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The address of a page about the error, where there was one.
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// Takes what a server said, less what repeats one of the `secrets`.
    ///
    /// `None` when there is no code that can be kept.
    pub(crate) fn heard(error: &str, description: Option<&str>, uri: Option<&str>, secrets: &[&str]) -> Option<Self> {
        let keep = |text: &str| {
            // First of all, for a secret that is cut in two by a line break is whole without it.
            let mut clean: String = text.chars().filter(|c| !c.is_control()).collect();
            let leaks =
                secrets.iter().any(|secret| !secret.is_empty() && (text.contains(secret) || clean.contains(secret)));
            if let Some((end, _)) = clean.char_indices().nth(LONGEST) {
                clean.truncate(end);
            }
            (!leaks && !clean.is_empty()).then_some(clean)
        };
        let error = if KNOWN.contains(&error) { Some(error.to_owned()) } else { keep(error) };
        Some(Self { error: error?, description: description.and_then(keep), uri: uri.and_then(keep) })
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        match &self.description {
            Some(description) => write!(f, ": {description}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_cleaned() {
        let long = "x".repeat(2_000);
        let heard = OAuthError::heard("invalid_\u{0}scope", Some(&long), Some(""), &[]).unwrap();
        assert_eq!(heard.error(), "invalid_scope");
        assert_eq!(heard.description().unwrap().len(), LONGEST);
        assert_eq!(heard.uri(), None);
    }

    #[test]
    fn an_echoed_secret_is_dropped() {
        let heard = OAuthError::heard("invalid_client", Some("bad secret 'hunter2'"), None, &["hunter2"]).unwrap();
        assert_eq!(heard.to_string(), "invalid_client");
        assert_eq!(OAuthError::heard("hunter2", None, None, &["hunter2"]), None);
        let heard = OAuthError::heard("invalid_client", Some("hun\u{7f}ter2"), None, &["hunter2"]).unwrap();
        assert_eq!(heard.description(), None, "in two lines");
    }

    #[test]
    fn a_secret_that_is_a_part_of_a_known_code_does_not_hide_it() {
        let heard = OAuthError::heard("invalid_client", Some("unknown client"), None, &["client"]).unwrap();
        assert_eq!(heard.to_string(), "invalid_client");
    }
}
