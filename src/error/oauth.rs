//! The error response of an authorization server (RFC 6749 §5.2), sanitized for logs and terminals.

use std::fmt;

use crate::text::{printable, repeats_secret};

/// The maximum length of a server's text, in characters. The texts are logged.
const MAX_TEXT: usize = 512;

/// The code of an error that was built without one.
const UNKNOWN_CODE: &str = "unknown_error";

/// The codes of RFC 6749 §4.1.2.1 and §5.2, RFC 7009, RFC 8628, RFC 8707, RFC 9101, RFC 9396, RFC 9449 and RFC 9470, and those of OpenID
/// Connect Core §3.1.2.6 that demand a person.
///
/// They are kept even if they contain a secret, such as a client secret that is part of a code: the codes are public, and the
/// classification of errors depends on them.
const REGISTERED_CODES: [&str; 27] = [
    "access_denied",
    "authorization_declined",
    "authorization_pending",
    "consent_required",
    "expired_token",
    "interaction_required",
    "invalid_authorization_details",
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_request",
    "invalid_request_object",
    "invalid_request_uri",
    "invalid_scope",
    "invalid_target",
    "login_required",
    "request_not_supported",
    "request_uri_not_supported",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unmet_authentication_requirements",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type",
    "use_dpop_nonce",
];

/// The error that an authorization server has returned ([RFC 6749 §5.2]).
///
/// The texts come from the server. Each is one line of at most 512 characters, without control characters, invisible characters
/// and characters that change the writing direction. A text that repeats a secret of the request is dropped.
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
    /// Creates an error with this code, for a grant of your own.
    ///
    /// The texts are treated like those of a server: characters that are not printable are removed, and each text is truncated to
    /// 512 characters. A code without a printable character becomes `unknown_error`, which is not a registered code.
    ///
    /// ```
    /// use tower_oauth2::error::OAuthError;
    ///
    /// let error = OAuthError::new("invalid_scope").with_description("no such scope: admin");
    /// assert_eq!(error.to_string(), "invalid_scope: no such scope: admin");
    /// assert_eq!(OAuthError::new("\n").error(), "unknown_error");
    /// ```
    ///
    /// # Security
    ///
    /// Errors are logged together with these texts, so the texts must not contain a secret.
    pub fn new(error: impl Into<String>) -> Self {
        let error = clean(&error.into()).unwrap_or_else(|| UNKNOWN_CODE.to_owned());
        Self { error, description: None, uri: None }
    }

    /// Sets the description for developers. A text without a printable character removes it.
    #[must_use]
    pub fn with_description(self, description: impl Into<String>) -> Self {
        Self { description: clean(&description.into()), ..self }
    }

    /// Sets the address of a page about the error. A text without a printable character removes it.
    #[must_use]
    pub fn with_uri(self, uri: impl Into<String>) -> Self {
        Self { uri: clean(&uri.into()), ..self }
    }

    /// Returns the code, such as `invalid_scope`.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// Returns the code if it is registered. Such a code cannot repeat a secret.
    #[cfg(feature = "tracing")]
    pub(crate) fn registered_code(&self) -> Option<&'static str> {
        REGISTERED_CODES.into_iter().find(|code| *code == self.error)
    }

    /// Returns the description for developers, if the server sent one.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Returns the address of a page about the error, if the server sent one.
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// Creates an error from the texts of a server, without texts that repeat one of the `secrets`. Returns `None` if the code
    /// cannot be kept.
    pub(crate) fn from_response(
        error: &str,
        description: Option<&str>,
        uri: Option<&str>,
        secrets: &[&str],
    ) -> Option<Self> {
        // Compared before truncation.
        let keep = |text: &str| if repeats_secret(text, secrets) { None } else { clean(text) };
        let is_registered = |code: &String| REGISTERED_CODES.contains(&code.as_str());
        let error = clean(error).filter(is_registered).or_else(|| keep(error));
        Some(Self { error: error?, description: description.and_then(keep), uri: uri.and_then(keep) })
    }
}

/// Returns the printable part of a text, truncated, or `None` if it is empty.
fn clean(text: &str) -> Option<String> {
    let clean = printable(text, MAX_TEXT);
    (!clean.is_empty()).then_some(clean)
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
    fn texts_are_truncated_and_cleaned() {
        let long = "x".repeat(2_000);
        let error = OAuthError::from_response("invalid_\u{0}scope", Some(&long), Some(""), &[]).unwrap();
        assert_eq!(error.error(), "invalid_scope");
        assert_eq!(error.description().unwrap().len(), MAX_TEXT);
        assert_eq!(error.uri(), None);
    }

    #[test]
    fn texts_of_a_user_are_truncated_and_cleaned_too() {
        let built = OAuthError::new("slow\u{0}_down").with_description("x".repeat(2_000)).with_uri("\r\n");
        assert_eq!((built.error(), built.uri()), ("slow_down", None));
        assert_eq!(built.description().unwrap().len(), MAX_TEXT);
        for empty in ["", "\n\u{7f}"] {
            assert_eq!(OAuthError::new(empty).error(), UNKNOWN_CODE);
            assert_eq!(OAuthError::new("x").with_description("y").with_description(empty).description(), None);
        }
    }

    #[test]
    fn a_text_that_repeats_a_secret_is_dropped() {
        let error =
            OAuthError::from_response("invalid_client", Some("bad secret 'hunter2'"), None, &["hunter2"]).unwrap();
        assert_eq!(error.to_string(), "invalid_client");
        assert_eq!(OAuthError::from_response("hunter2", None, None, &["hunter2"]), None);
        let error = OAuthError::from_response("invalid_client", Some("hun\u{7f}ter2"), None, &["hunter2"]).unwrap();
        assert_eq!(error.description(), None, "split by a control character");
        let error = OAuthError::from_response("invalid_client", Some("not hunter\r\n2"), None, &["hunter 2"]).unwrap();
        assert_eq!(error.description(), None, "with a line break instead of a blank");
    }

    #[test]
    fn a_registered_code_that_contains_a_secret_is_kept() {
        for code in ["invalid_client", " invalid_client\r\n", "invalid\u{200b}_client"] {
            let error = OAuthError::from_response(code, Some("unknown client"), None, &["client"]).unwrap();
            assert_eq!(error.to_string(), "invalid_client");
        }
    }
}
